// Expected values come from the xxhash package, an implementation of its own.
#include "format/xxh64.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace potstill::format {
namespace {

TEST(Xxh64, KnownTexts) {
  EXPECT_EQ(xxh64(nullptr, 0), 0xef46db3751d8e999u);
  EXPECT_EQ(xxh64("a", 1), 0xd24ec4f1a98c6e5bu);
  EXPECT_EQ(xxh64("abc", 3), 0x44bc2cf5ad770999u);
}

TEST(Xxh64, EveryTailLengthAndAlignment) {
  const std::pair<std::size_t, uint64_t> expected[] = {
      {0, 0xef46db3751d8e999u},   {1, 0x1f25c8d0bc1f4bb6u},  {3, 0x31d2363f52e564c9u},  {4, 0x9bb64b7d66ee9fdau},
      {7, 0x9a7b149959ce60d8u},   {8, 0xdab99d95c6f90092u},  {31, 0xa2aa5f33cc4a6119u}, {32, 0x23c3c17ef790fd97u},
      {33, 0x50a7cfc7ba588784u},  {63, 0x5e3e54b431c7493cu}, {64, 0x0eb64b3ef6eeb01fu}, {100, 0xa61f8d4c170fe531u},
      {1000, 0x5f235fa033f1a3fbu}};
  for (std::size_t shift = 0; shift < 8; ++shift) {
    for (const auto& [size, hash] : expected) {
      std::vector<unsigned char> data(shift + size);
      for (std::size_t i = 0; i < size; ++i) data[shift + i] = static_cast<unsigned char>(i * 7 + 3);
      EXPECT_EQ(xxh64(data.data() + shift, size), hash) << size << " bytes at " << shift;
    }
  }
}

TEST(Xxh64, PartsGiveTheHashOfTheWhole) {
  std::vector<unsigned char> data(1000);
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<unsigned char>(i * 7 + 3);
  for (const std::size_t size : {0u, 5u, 32u, 64u, 70u, 999u, 1000u}) {
    for (std::size_t first = 0; first <= size; first += 32) {
      for (std::size_t second = 0; first + second <= size; second += 160) {
        Xxh64 hash;
        hash.update(data.data(), first);
        hash.update(data.data() + first, second);
        const std::size_t done = first + second;
        EXPECT_EQ(hash.finish(data.data() + done, size - done), xxh64(data.data(), size)) << size << " at " << done;
      }
    }
  }
}

}  // namespace
}  // namespace potstill::format
