// The Unicode properties that BertNormalizer and BertPreTokenizer use, as `tokenizers` has them: recorded from its
// behaviour by python/potstill/compile/tokenizers/unicode_tables.py, about 75 KB of read-only data.
#pragma once

#include <cstdint>
#include <span>

namespace potstill::tokenizer::unicode {

// Same bits as in unicode_tables.py.
inline constexpr std::uint16_t kControl = 1;      // clean_text removes it
inline constexpr std::uint16_t kWhitespace = 2;   // ends a word
inline constexpr std::uint16_t kPunctuation = 4;  // is a word of its own
inline constexpr std::uint16_t kChinese = 8;      // is a word of its own under handle_chinese_chars
inline constexpr std::uint16_t kMark = 16;        // strip_accents removes it
inline constexpr std::uint16_t kDecomposes = 32;  // has a canonical decomposition
inline constexpr std::uint16_t kLowers = 64;      // lower case differs from itself
inline constexpr std::uint16_t kWordChar = 128;   // \\w of regular expressions; not recorded yet

struct Class {
  std::uint8_t flags;
  std::uint8_t combining;  // canonical combining class; 0 = starter
};

// Any value is allowed; one above U+10FFFF gets a class of the last block.
Class class_of(char32_t point) noexcept;

// Full canonical decomposition of a point with kDecomposes; `room` is used for Hangul syllables, which need no table.
std::span<const std::uint32_t> decomposition(char32_t point, std::span<std::uint32_t, 3> room) noexcept;

// Lower case of a point with kLowers (one point, two for U+0130).
std::span<const std::uint32_t> lower(char32_t point) noexcept;

}  // namespace potstill::tokenizer::unicode
