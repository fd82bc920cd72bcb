// UTF-8 in and out. Invalid input is defined: it reads as Python's bytes.decode("utf-8", errors="replace").
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace potstill::tokenizer::utf8 {

// True for well-formed UTF-8 (Unicode standard, table 3-7: no surrogates, no overlong forms, at most U+10FFFF).
bool valid(std::string_view text) noexcept;

// `text` with U+FFFD for every maximal part that can not begin or continue a character.
std::string repaired(std::string_view text);

// Whether a byte of valid text begins a character.
inline bool begins(char byte) noexcept { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }

// Bytes of the character that begins with `lead`, in valid text.
inline std::size_t size(char lead) noexcept {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

// Characters of valid text.
std::size_t characters(std::string_view text) noexcept;

// The character that begins at text[at], which must be valid; moves `at` past it.
char32_t next(std::string_view text, std::size_t& at) noexcept;

// Appends a character; surrogates and values above U+10FFFF must not be passed.
void append(std::string& text, char32_t point);

}  // namespace potstill::tokenizer::utf8
