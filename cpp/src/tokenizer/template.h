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
  using Ids = std::span<const std::int32_t>;

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

  // Appends a text, given without special tokens, with them; of a pair also the token types.
  void wrap(Ids text, std::vector<std::int32_t>& ids) const;
  void wrap(Ids first, Ids second, std::vector<std::int32_t>& ids, std::vector<std::int32_t>& types) const;
};

}  // namespace potstill::tokenizer
