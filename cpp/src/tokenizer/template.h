// Special tokens around one text or two.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "still_generated.h"

namespace potstill::tokenizer {

// Cuts the lengths of two texts, `room` or more together, to `room` in all: the longer one gives way until it is as
// short as the other, then both, the longer (of equals the second) keeping the odd token. So "longest_first" of Hugging
// Face `tokenizers` cuts.
void fit_pair(std::size_t& first, std::size_t& second, std::size_t room) noexcept;

// Schema tables `Tokenizer.single` and `.pair`: one list of parts for a text, one for a pair, special tokens on either
// side.
struct Template {
  using Parts = std::vector<fb::TemplatePart>;

  Parts single;
  Parts pair;  // empty: the tokenizer encodes no pairs

  // nullptr when the parts are sound, else a text that says what is wrong: each text once, ids below `pieces`.
  const char* problem(std::size_t pieces) const noexcept;

  // Tokens of `parts` beside those of the texts.
  static std::size_t specials(const Parts& parts) noexcept;

  // Special tokens before the text of `single`.
  std::size_t leading() const noexcept;

  // The special token that every text begins or ends with, or -1.
  std::int32_t first() const noexcept;
  std::int32_t last() const noexcept;

  // Appends a text or a pair, given without special tokens, with them: ids, or tokens, of which special ones have the
  // place [0, 0).
  template <typename T>
  static void wrap(const Parts& parts, std::span<const T> first, std::span<const T> second, std::vector<T>& out);
  void wrap(std::span<const std::int32_t> text, std::vector<std::int32_t>& ids) const { wrap(single, text, {}, ids); }

  // The token types of a pair of so many tokens, or of one text and 0.
  static std::vector<std::int32_t> types(const Parts& parts, std::size_t first, std::size_t second);
};

template <typename T>
void Template::wrap(const Parts& parts, std::span<const T> first, std::span<const T> second, std::vector<T>& out) {
  out.reserve(out.size() + first.size() + second.size() + parts.size());
  for (const fb::TemplatePart& part : parts) {
    if (part.part() == fb::Part::Id) {
      out.push_back(T{static_cast<std::int32_t>(part.id())});
    } else {
      const std::span<const T> text = part.part() == fb::Part::First ? first : second;
      out.insert(out.end(), text.begin(), text.end());
    }
  }
}

}  // namespace potstill::tokenizer
