// What stands at a place of a text, told fast: ASCII, most of most texts, by a table of 128 entries.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tokenizer/unicode.h"
#include "tokenizer/utf8.h"

namespace potstill::tokenizer {

// The flags of unicode.h that cutting asks for.
struct Character {
  unicode::Flags flags;
  std::size_t end;  // byte behind it
};

namespace ascii {

// What class_of gives, as a test checks.
constexpr unicode::Flags flags_of(unsigned char byte) noexcept {
  using namespace unicode;
  if (byte >= 'a' && byte <= 'z') return kLetter | kLowerLetter | kWordChar;
  if (byte >= 'A' && byte <= 'Z') return kLetter | kUpperLetter | kWordChar;
  if (byte >= '0' && byte <= '9') return kNumber | kNumeric | kWordChar;
  if (byte == ' ' || (byte >= 9 && byte <= 13)) return kSpace | kWhitespace;
  if (byte == '_') return kPunctuation | kWordChar;
  return byte > ' ' && byte < 0x7F ? kPunctuation : 0;
}

inline constexpr auto kFlags = [] {
  std::array<unicode::Flags, 128> flags{};
  for (unsigned char byte = 0; byte < 128; ++byte) flags[byte] = flags_of(byte);
  return flags;
}();

}  // namespace ascii

// The character that begins at text[at], which must be valid.
inline Character character(std::string_view text, std::size_t at) noexcept {
  const auto byte = static_cast<unsigned char>(text[at]);
  if (byte < 0x80) return {ascii::kFlags[byte], at + 1};
  const char32_t point = utf8::next(text, at);
  return {unicode::class_of(point).flags, at};
}

// The end of the run of characters from byte `at` on for which `of(flags)` holds.
template <typename Of>
std::size_t run(std::string_view text, std::size_t at, Of of) noexcept {
  while (at < text.size()) {
    const Character here = character(text, at);
    if (!of(here.flags)) break;
    at = here.end;
  }
  return at;
}

}  // namespace potstill::tokenizer
