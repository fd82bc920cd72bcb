// The Unicode properties that the tokenizer's steps use, as `tokenizers` has them: recorded from its behaviour by
// python/potstill/compile/tokenizers/unicode_tables.py, about 110 KB of read-only data.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace potstill::tokenizer::unicode {

using Flags = std::uint32_t;

// Same bits as in unicode_probe.py.
inline constexpr Flags kControl = 1;           // clean_text removes it
inline constexpr Flags kWhitespace = 2;        // char::is_whitespace, \s in Whitespace: ends a word, is stripped
inline constexpr Flags kPunctuation = 4;       // of BertPreTokenizer and Punctuation
inline constexpr Flags kChinese = 8;           // is a word of its own under handle_chinese_chars
inline constexpr Flags kMark = 16;             // strip_accents removes it
inline constexpr Flags kDecomposes = 32;       // has a canonical decomposition
inline constexpr Flags kLowers = 64;           // lower case differs from itself
inline constexpr Flags kLetter = 128;          // \p{L} in Split and Replace
inline constexpr Flags kNumber = 256;          // \p{N} there
inline constexpr Flags kSpace = 512;           // \s there
inline constexpr Flags kWordChar = 1024;       // \w in Whitespace and at the ends of added tokens
inline constexpr Flags kNumeric = 2048;        // Digits
inline constexpr Flags kCombiningMark = 4096;  // StripAccents removes it
inline constexpr Flags kCompatible = 8192;     // has a compatibility decomposition that is not the canonical one
inline constexpr Flags kUnstable = 16384;      // NFC changes it, moves it or joins it to what is before it
inline constexpr Flags kLowerLetter = 32768;   // \p{Ll} in Split
inline constexpr Flags kUpperLetter = 65536;   // [\p{Lu}\p{Lt}] there
inline constexpr Flags kAnyMark = 131072;      // \p{M} there

struct Class {
  Flags flags;
  std::uint8_t combining;  // canonical combining class; 0 = starter
  std::uint8_t grapheme;   // what it does in grapheme clusters: graphemes.h
};

// Any value is allowed; one above U+10FFFF gets a class of the last block.
Class class_of(char32_t point) noexcept;

inline bool is(char32_t point, Flags flags) noexcept { return (class_of(point).flags & flags) != 0; }

// Room for what a point becomes: at most 18 points.
using Room = std::array<char32_t, 18>;

// Full canonical decomposition of a point with kDecomposes.
std::span<const char32_t> decomposition(char32_t point, Room& room) noexcept;

// Full compatibility decomposition of a point with kCompatible.
std::span<const char32_t> compatible(char32_t point, Room& room) noexcept;

// Lower case of a point with kLowers (one point, two for U+0130).
std::span<const char32_t> lower(char32_t point, Room& room) noexcept;

// What two points compose to, or 0.
char32_t composed(char32_t first, char32_t second) noexcept;

}  // namespace potstill::tokenizer::unicode
