// What ByteLevel and RobertaProcessing do to the places of tokens (their trim_offsets).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace potstill::tokenizer {

// White space at the ends of a token's text, in characters; U+0120 is some.
struct Spaces {
  std::uint32_t leading = 0, trailing = 0;
};

Spaces spaces_of(std::string_view text) noexcept;

// A token with its place: characters [begin, end) of the text that was given.
struct Placed {
  std::int32_t id = 0;
  std::uint32_t begin = 0, end = 0;
  Spaces spaces = {};
};

// Takes so many characters as each token's text has white space at its ends out of its place, as `tokenizers` does:
// they are counted in the token, which normalizers may have changed, and left out in the text that was given.
// prefix_space: one space before the first token, or before a token whose place begins with the text, is taken for the
// one that ByteLevel put there, which no place has.
void trim(bool prefix_space, std::span<Placed> tokens) noexcept;

}  // namespace potstill::tokenizer
