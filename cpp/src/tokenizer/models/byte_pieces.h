// The pieces <0x00> to <0xFF>, by which a model with byte_fallback writes characters that are no piece.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tokenizer/vocabulary.h"

namespace potstill::tokenizer {

class BytePieces {
 public:
  // Without `on` there are none.
  BytePieces(const Vocabulary& vocabulary, bool on) noexcept {
    constexpr char kDigits[] = "0123456789ABCDEF";
    char text[] = "<0x00>";
    for (std::size_t byte = 0; byte < ids_.size(); ++byte) {
      text[3] = kDigits[byte / 16];
      text[4] = kDigits[byte % 16];
      ids_[byte] = on ? vocabulary.find(std::string_view(text, 6)) : -1;
    }
  }

  // Whether all bytes of a text have theirs.
  bool spell(std::string_view text) const noexcept {
    return std::all_of(text.begin(), text.end(), [this](char byte) { return (*this)[byte] >= 0; });
  }

  std::int32_t operator[](char byte) const noexcept { return ids_[static_cast<unsigned char>(byte)]; }

 private:
  std::array<std::int32_t, 256> ids_;
};

}  // namespace potstill::tokenizer
