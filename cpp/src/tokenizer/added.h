// Added tokens: pieces that are cut out of the raw text before any normalization.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "tokenizer/vocabulary.h"

namespace potstill::tokenizer {

class AddedTokens {
 public:
  // nullptr when the ids are sound, else a text that says what is wrong. The vocabulary must be.
  static const char* problem(const Vocabulary& vocabulary, std::span<const std::uint32_t> ids) noexcept;

  AddedTokens(const Vocabulary& vocabulary, std::vector<std::uint32_t> ids);

  struct Match {
    std::size_t begin;  // in bytes
    std::size_t size;   // 0: there is none, and `begin` is the end of the text
    std::int32_t id;
  };

  // The first token in `text`; of several that begin at one place the longest.
  Match first_in(std::string_view text) const noexcept;

 private:
  Vocabulary vocabulary_;
  std::vector<std::uint32_t> ids_;
  std::array<bool, 256> first_bytes_{};
};

}  // namespace potstill::tokenizer
