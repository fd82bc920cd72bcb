#include "format/xxh64.h"

#include <bit>
#include <cstring>

namespace potstill::format {
namespace {

constexpr uint64_t kPrime1 = 0x9E3779B185EBCA87u;
constexpr uint64_t kPrime2 = 0xC2B2AE3D27D4EB4Fu;
constexpr uint64_t kPrime3 = 0x165667B19E3779F9u;
constexpr uint64_t kPrime4 = 0x85EBCA77C2B2AE63u;
constexpr uint64_t kPrime5 = 0x27D4EB2F165667C5u;

template <typename T>
T little(const unsigned char* p) noexcept {
  T value = 0;
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(&value, p, sizeof value);
  } else {
    for (std::size_t i = 0; i < sizeof value; ++i) value = static_cast<T>(value | static_cast<T>(p[i]) << (8 * i));
  }
  return value;
}

uint64_t lane(uint64_t acc, uint64_t input) noexcept { return std::rotl(acc + input * kPrime2, 31) * kPrime1; }

uint64_t merge(uint64_t hash, uint64_t acc) noexcept { return (hash ^ lane(0, acc)) * kPrime1 + kPrime4; }

}  // namespace

uint64_t xxh64(const void* data, std::size_t size) noexcept {
  const auto* p = static_cast<const unsigned char*>(data);
  const std::size_t whole = size;
  uint64_t hash = kPrime5;
  if (size >= 32) {
    uint64_t a = kPrime1 + kPrime2, b = kPrime2, c = 0, d = 0 - kPrime1;
    for (; size >= 32; size -= 32, p += 32) {
      a = lane(a, little<uint64_t>(p));
      b = lane(b, little<uint64_t>(p + 8));
      c = lane(c, little<uint64_t>(p + 16));
      d = lane(d, little<uint64_t>(p + 24));
    }
    hash = std::rotl(a, 1) + std::rotl(b, 7) + std::rotl(c, 12) + std::rotl(d, 18);
    hash = merge(merge(merge(merge(hash, a), b), c), d);
  }
  hash += whole;
  for (; size >= 8; size -= 8, p += 8) hash = std::rotl(hash ^ lane(0, little<uint64_t>(p)), 27) * kPrime1 + kPrime4;
  if (size >= 4) {
    hash = std::rotl(hash ^ little<uint32_t>(p) * kPrime1, 23) * kPrime2 + kPrime3;
    size -= 4;
    p += 4;
  }
  for (; size > 0; --size, ++p) hash = std::rotl(hash ^ *p * kPrime5, 11) * kPrime1;
  hash = (hash ^ hash >> 33) * kPrime2;
  hash = (hash ^ hash >> 29) * kPrime3;
  return hash ^ hash >> 32;
}

}  // namespace potstill::format
