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

static_assert(kPrime1 + kPrime2 == 0x60EA27EEADC0B5D6u && 0 - kPrime1 == 0x61C8864E7A143579u);  // where lanes start

void Xxh64::update(const void* data, std::size_t size) noexcept {
  const auto* p = static_cast<const unsigned char*>(data);
  uint64_t a = a_, b = b_, c = c_, d = d_;
  before_ += size;
  for (; size >= 32; size -= 32, p += 32) {
    a = lane(a, little<uint64_t>(p));
    b = lane(b, little<uint64_t>(p + 8));
    c = lane(c, little<uint64_t>(p + 16));
    d = lane(d, little<uint64_t>(p + 24));
  }
  a_ = a, b_ = b, c_ = c, d_ = d;
}

uint64_t Xxh64::finish(const void* data, std::size_t size) const noexcept {
  Xxh64 all = *this;
  const std::size_t stripes = size / 32 * 32;
  all.update(data, stripes);
  const auto* p = static_cast<const unsigned char*>(data) + stripes;
  uint64_t hash = kPrime5;
  if (all.before_ > 0) {
    hash = std::rotl(all.a_, 1) + std::rotl(all.b_, 7) + std::rotl(all.c_, 12) + std::rotl(all.d_, 18);
    hash = merge(merge(merge(merge(hash, all.a_), all.b_), all.c_), all.d_);
  }
  size -= stripes;
  hash += all.before_ + size;
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

uint64_t xxh64(const void* data, std::size_t size) noexcept { return Xxh64().finish(data, size); }

}  // namespace potstill::format
