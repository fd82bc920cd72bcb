#include "tokenizer/unicode.h"

#include <algorithm>
#include <cstddef>
#include <iterator>

namespace potstill::tokenizer::unicode {
namespace {

#include "tokenizer/unicode_tables.inc"

constexpr char32_t kHangulFirst = 0xAC00;
constexpr std::uint32_t kHangulCount = 11172;  // 19 leads * 21 vowels * 28 tails (with "no tail")

// keys ascending; the points of key i are pool[ends[i - 1], ends[i]).
std::span<const std::uint32_t> mapped(std::span<const std::uint32_t> keys, std::span<const std::uint16_t> ends,
                                      std::span<const std::uint32_t> pool, char32_t point) noexcept {
  const auto found = std::lower_bound(keys.begin(), keys.end(), static_cast<std::uint32_t>(point));
  if (found == keys.end() || *found != point) return {};
  const auto i = static_cast<std::size_t>(found - keys.begin());
  const std::size_t begin = i == 0 ? 0 : ends[i - 1];
  return pool.subspan(begin, ends[i] - begin);
}

}  // namespace

Class class_of(char32_t point) noexcept {
  constexpr std::size_t kMask = (std::size_t{1} << kBlockBits) - 1;
  // Blocks after the last one of the index are all equal to it.
  const std::size_t block = std::min<std::size_t>(point >> kBlockBits, std::size(kBlockIndex) - 1);
  return kClasses[kBlocks[(std::size_t{kBlockIndex[block]} << kBlockBits) + (point & kMask)]];
}

std::span<const std::uint32_t> decomposition(char32_t point, std::span<std::uint32_t, 3> room) noexcept {
  // Unsigned wrap-around makes points below the first syllable large.
  const auto syllable = static_cast<std::uint32_t>(point - kHangulFirst);
  if (syllable >= kHangulCount) return mapped(kDecompositionKeys, kDecompositionEnds, kDecompositionPool, point);
  const std::uint32_t tail = syllable % 28;
  room[0] = 0x1100 + syllable / 588;
  room[1] = 0x1161 + syllable % 588 / 28;
  room[2] = 0x11A7 + tail;
  return std::span<const std::uint32_t>(room).first(tail == 0 ? 2 : 3);
}

std::span<const std::uint32_t> lower(char32_t point) noexcept {
  return mapped(kLowerKeys, kLowerEnds, kLowerPool, point);
}

}  // namespace potstill::tokenizer::unicode
