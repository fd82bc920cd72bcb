// Tensor sections: sizes from shapes in checked 64-bit arithmetic, order, bounds, checksums, padding, value range.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "format/reader.h"

namespace potstill::format {

constexpr uint64_t round_up_64(uint64_t value) { return (value + 63) / 64 * 64; }

bool all_zero(std::span<const std::byte> bytes) noexcept;

// Bytes a tensor of this layout takes, or 0 when the shape is impossible (zero or too large a dimension, wrong rank,
// layout that does not go with the dtype, more than 2^48 bytes).
uint64_t stored_bytes(fb::DType dtype, fb::Layout layout, std::span<const uint32_t> shape) noexcept;

// Fills `file.tensors` from its model; the first section must be at `begin`. Throws Error F014..F021, F044, F046.
void read_tensors(File& file, uint64_t begin);

}  // namespace potstill::format
