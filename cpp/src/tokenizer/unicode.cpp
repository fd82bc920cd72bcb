#include "tokenizer/unicode.h"

#include <algorithm>
#include <iterator>

namespace potstill::tokenizer::unicode {
namespace {

#include "tokenizer/unicode_tables.inc"

// Hangul syllables are 19 leads * 21 vowels * 28 tails (the first of these is "no tail").
constexpr char32_t kSyllables = 0xAC00, kLeads = 0x1100, kVowels = 0x1161, kTails = 0x11A7;
constexpr std::uint32_t kLeadCount = 19, kVowelCount = 21, kTailCount = 28;

// The low 16 bits of the points of plane p, ascending, are keys[planes[p], planes[p + 1]). What point i becomes, in
// UTF-16, is pool[ends[i - 1], ends[i]).
struct Mapping {
  std::span<const std::uint16_t> planes, keys, ends;
  std::span<const char16_t> pool;

  std::span<const char32_t> find(char32_t point, Room& room) const noexcept;
};

constexpr Mapping kDecomposition{kDecompositionPlanes, kDecompositionKeys, kDecompositionEnds, kDecompositionPool};
constexpr Mapping kCompatibility{kCompatiblePlanes, kCompatibleKeys, kCompatibleEnds, kCompatiblePool};
constexpr Mapping kLowerCase{kLowerPlanes, kLowerKeys, kLowerEnds, kLowerPool};

std::span<const char32_t> Mapping::find(char32_t point, Room& room) const noexcept {
  const std::size_t plane = point >> 16;
  if (plane + 1 >= planes.size()) return {};
  const auto low = static_cast<std::uint16_t>(point);
  const std::uint16_t* last = keys.data() + planes[plane + 1];
  const std::uint16_t* found = std::lower_bound(keys.data() + planes[plane], last, low);
  if (found == last || *found != low) return {};
  const auto i = static_cast<std::size_t>(found - keys.data());
  std::size_t size = 0;
  for (std::size_t at = i == 0 ? 0 : ends[i - 1]; at < ends[i]; ++at) {
    char32_t unit = pool[at];
    if (unit >> 10 == 0x36) {  // the first half of a point above U+FFFF
      ++at;
      unit = 0x10000 + ((unit & 0x3FF) << 10) + (pool[at] & 0x3FF);
    }
    room[size] = unit;
    ++size;
  }
  return std::span<const char32_t>(room).first(size);
}

char32_t composed_syllable(char32_t first, char32_t second) noexcept {
  // Unsigned wrap-around makes points below the first of each kind large.
  const std::uint32_t lead = first - kLeads, vowel = second - kVowels;
  if (lead < kLeadCount && vowel < kVowelCount) return kSyllables + (lead * kVowelCount + vowel) * kTailCount;
  const std::uint32_t syllable = first - kSyllables, tail = second - kTails;
  if (syllable >= kLeadCount * kVowelCount * kTailCount || syllable % kTailCount != 0) return 0;
  return tail == 0 || tail >= kTailCount ? 0 : first + tail;
}

}  // namespace

Class class_of(char32_t point) noexcept {
  constexpr std::size_t kMask = (std::size_t{1} << kBlockBits) - 1;
  // Blocks after the last one of the index are all equal to it.
  const std::size_t block = std::min<std::size_t>(point >> kBlockBits, std::size(kBlockIndex) - 1);
  return kClasses[kBlocks[(std::size_t{kBlockIndex[block]} << kBlockBits) + (point & kMask)]];
}

std::span<const char32_t> decomposition(char32_t point, Room& room) noexcept {
  const std::uint32_t syllable = point - kSyllables;
  if (syllable >= kLeadCount * kVowelCount * kTailCount) return kDecomposition.find(point, room);
  const std::uint32_t tail = syllable % kTailCount;
  room[0] = kLeads + syllable / (kVowelCount * kTailCount);
  room[1] = kVowels + syllable % (kVowelCount * kTailCount) / kTailCount;
  room[2] = kTails + tail;
  return std::span<const char32_t>(room).first(tail == 0 ? 2 : 3);
}

std::span<const char32_t> compatible(char32_t point, Room& room) noexcept { return kCompatibility.find(point, room); }

std::span<const char32_t> lower(char32_t point, Room& room) noexcept { return kLowerCase.find(point, room); }

char32_t composed(char32_t first, char32_t second) noexcept {
  if (const char32_t syllable = composed_syllable(first, second); syllable != 0) return syllable;
  const auto* const last = std::end(kSeconds);
  const auto* const place = std::lower_bound(std::begin(kSeconds), last, second);
  if (place == last || *place != second) return 0;
  const std::uint32_t pair = static_cast<std::uint32_t>(place - kSeconds) << 21 | static_cast<std::uint32_t>(first);
  const auto* const found = std::lower_bound(std::begin(kPairs), std::end(kPairs), pair);
  return found == std::end(kPairs) || *found != pair ? 0 : kComposites[found - kPairs];
}

}  // namespace potstill::tokenizer::unicode
