// XXH64, seed 0: the checksum of every part of a `.still` file. Written from the public description of the algorithm
// (four lanes of 64-bit multiply-rotate over 32-byte stripes, then the tail, then a final mix).
#pragma once

#include <cstddef>
#include <cstdint>

namespace potstill::format {

// The same from parts that come one after another; every part but the last must be a multiple of 32 bytes long.
class Xxh64 {
 public:
  void update(const void* data, std::size_t size) noexcept;            // size: a multiple of 32
  uint64_t finish(const void* data, std::size_t size) const noexcept;  // the last part, of any size

 private:
  uint64_t a_ = 0x60EA27EEADC0B5D6u, b_ = 0xC2B2AE3D27D4EB4Fu, c_ = 0, d_ = 0x61C8864E7A143579u;
  uint64_t before_ = 0;  // bytes
};

// Any alignment of `data`; the result is the same on big- and little-endian machines.
uint64_t xxh64(const void* data, std::size_t size) noexcept;

}  // namespace potstill::format
