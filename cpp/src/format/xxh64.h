// XXH64, seed 0: the checksum of every part of a `.still` file. Written from the public description of the algorithm
// (four lanes of 64-bit multiply-rotate over 32-byte stripes, then the tail, then a final mix).
#pragma once

#include <cstddef>
#include <cstdint>

namespace potstill::format {

// Any alignment of `data`; the result is the same on big- and little-endian machines.
uint64_t xxh64(const void* data, std::size_t size) noexcept;

}  // namespace potstill::format
