// The merges of a BPE model: which two pieces make which third one, the best merge first, and a hash table over the
// pairs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace potstill::tokenizer {

// Schema table `Bpe`, merges_t and merge_slots_t. Not owned. Both are empty where nothing is merged.
struct Merges {
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

  std::span<const std::int32_t> rows;   // (left, right, what they make) of each merge
  std::span<const std::int32_t> slots;  // -1 = empty, else the low 24 bits are a row, the others those of the hash

  static constexpr std::uint32_t hash(std::int32_t left, std::int32_t right) noexcept {
    std::uint32_t state = static_cast<std::uint32_t>(left) * 0x9E3779B1u + static_cast<std::uint32_t>(right);
    state = (state ^ (state >> 16)) * 0x85EBCA6Bu;
    return state ^ (state >> 13);
  }

  // nullptr when the tables are sound for a vocabulary of so many pieces, else a text. Linear in the tables.
  const char* problem(std::size_t pieces) const noexcept;

  // The row of a pair, or kNone: the lower, the better.
  std::uint32_t find(std::int32_t left, std::int32_t right) const noexcept;

  // Whether a row that `find` gave is that of this pair.
  bool joins(std::uint32_t row, std::int32_t left, std::int32_t right) const noexcept {
    return rows[3 * std::size_t{row}] == left && rows[3 * std::size_t{row} + 1] == right;
  }

  // What the pair of a row that `find` gave makes.
  std::int32_t made(std::uint32_t row) const noexcept { return rows[3 * std::size_t{row} + 2]; }
};

}  // namespace potstill::tokenizer
