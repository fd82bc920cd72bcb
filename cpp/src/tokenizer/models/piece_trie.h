// The pieces of a Unigram model as a trie over their bytes, in a double array.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "tokenizer/vocabulary.h"

namespace potstill::tokenizer {

// Schema table `Unigram`, trie_t. Not owned. A unit is a place that a byte leads to, u32:
//   bits 0-7  the byte that leads here; 0xFE: no unit; 0xFF: the value of the place before. Neither byte is in UTF-8.
//   bit 8     leaf: one piece alone begins with the bytes up to here, and its id are the bits from 10 on
//   bit 9     a piece ends here; its id is in the value
//   bits 10-  of a value the id, else the base: byte b leads from here to unit base + b, if that says b
// Unit 0 is the root. No two units have the same base, so a unit that says b is of the base that was asked for.
class PieceTrie {
 public:
  static constexpr std::size_t kMaxPieceBytes = 1024;  // what makes the work per byte bounded

  PieceTrie() = default;
  PieceTrie(std::span<const std::int32_t> units, const Vocabulary& vocabulary)
      : units_(units), vocabulary_(vocabulary) {}

  // nullptr when no unit names a piece that does not exist, else a text. Linear in the table.
  const char* problem() const noexcept;

  // Calls found(id, size) for each piece that a text begins with, the shortest first.
  template <typename Found>
  void prefixes(std::string_view text, const Found& found) const;

 private:
  static constexpr std::uint32_t kValue = 0xFF, kLeaf = 1u << 8, kEnds = 1u << 9;

  // The unit that a byte leads to; one that says another byte: none.
  std::uint32_t follow(std::uint32_t unit, std::uint32_t byte) const noexcept {
    const std::size_t at = (unit >> 10) + byte;
    return at < units_.size() ? static_cast<std::uint32_t>(units_[at]) : ~byte;
  }

  static std::int32_t id(std::uint32_t unit) noexcept { return static_cast<std::int32_t>(unit >> 10); }

  std::span<const std::int32_t> units_;
  Vocabulary vocabulary_;
};

template <typename Found>
void PieceTrie::prefixes(std::string_view text, const Found& found) const {
  text = text.substr(0, kMaxPieceBytes);
  auto unit = static_cast<std::uint32_t>(units_[0]);
  for (std::size_t size = 1; size <= text.size(); ++size) {
    const auto byte = static_cast<unsigned char>(text[size - 1]);
    unit = follow(unit, byte);
    if ((unit & 0xFF) != byte) return;
    if ((unit & kLeaf) != 0) {
      if (!vocabulary_.has(id(unit))) return;
      const std::string_view piece = vocabulary_.piece(static_cast<std::size_t>(id(unit)));
      if (piece.size() >= size && text.substr(size).starts_with(piece.substr(size))) found(id(unit), piece.size());
      return;
    }
    if ((unit & kEnds) == 0) continue;
    const std::uint32_t value = follow(unit, kValue);
    if ((value & 0xFF) == kValue && vocabulary_.has(id(value))) found(id(value), size);
  }
}

}  // namespace potstill::tokenizer
