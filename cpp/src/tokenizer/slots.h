// Hash tables as a file has them: open addressing, linear probing, a power of two of slots, -1 = empty.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace potstill::tokenizer {

inline constexpr std::size_t kMaxProbeRun = 256;  // longest run of used slots; about 60 at half load

// nullptr when every probe ends at an empty slot, after at most kMaxProbeRun steps, and `valid` holds for each used
// slot; else a text. Linear in the table.
template <typename Valid>
const char* slots_problem(std::span<const std::int32_t> slots, const Valid& valid) noexcept {
  const std::size_t size = slots.size();
  if (!std::has_single_bit(size)) return "the number of hash slots is not a power of two";
  std::size_t empty = size;  // index of some empty slot
  for (std::size_t i = 0; i < size; ++i) {
    if (slots[i] == -1) {
      empty = i;
    } else if (!valid(slots[i])) {
      return "a hash slot names what does not exist";
    }
  }
  if (empty == size) return "the hash table has no empty slot";
  std::size_t run = 0;
  for (std::size_t i = 1; i <= size; ++i) {  // once around, from an empty slot to itself
    run = slots[(empty + i) & (size - 1)] == -1 ? 0 : run + 1;
    if (run > kMaxProbeRun) return "the hash table is too crowded (more than 256 used slots in a row)";
  }
  return nullptr;
}

}  // namespace potstill::tokenizer
