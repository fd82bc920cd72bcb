// Writes the words of a text anew, one behind the other.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/pre_tokenizers/pre_tokenizer.h"

namespace potstill::tokenizer {

class Rebuild {
 public:
  explicit Rebuild(Words& words) : words_(words) {
    bytes_.reserve(words.text.bytes.size() + words.text.bytes.size() / 4 + 16);
    if (words.text.tracked) origins_.reserve(bytes_.capacity());
    ranges_.reserve(words.words.size() + words.text.bytes.size() / 8);
  }

  ~Rebuild() {
    words_.text.bytes = std::move(bytes_);
    words_.text.origins = std::move(origins_);
    words_.words = std::move(ranges_);
  }

  Rebuild(const Rebuild&) = delete;
  Rebuild& operator=(const Rebuild&) = delete;

  // Bytes [begin, end) of the old text as they are.
  void keep(Range old) {
    bytes_.append(words_.text.bytes, old.begin, old.end - old.begin);
    if (!words_.text.tracked) return;
    const auto from = words_.text.origins.begin();
    origins_.insert(origins_.end(), from + static_cast<std::ptrdiff_t>(old.begin),
                    from + static_cast<std::ptrdiff_t>(old.end));
  }

  // Other bytes, which come from where byte `old` of the old text does.
  void put(std::string_view bytes, std::size_t old) {
    bytes_ += bytes;
    if (words_.text.tracked) origins_.insert(origins_.end(), bytes.size(), words_.text.origins[old]);
  }

  // What was written since the last word is a word, unless it is nothing.
  void end_word() {
    if (bytes_.size() != begin_) ranges_.push_back({begin_, bytes_.size()});
    begin_ = bytes_.size();
  }

 private:
  Words& words_;
  std::string bytes_;
  std::vector<Origin> origins_;
  std::vector<Range> ranges_;
  std::size_t begin_ = 0;
};

}  // namespace potstill::tokenizer
