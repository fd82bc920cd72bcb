// Expected values are those of `tokenizers`.

#include "tokenizer/normalizers/precompiled.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "normalized.h"
#include "tokenizer/graphemes.h"
#include "tokenizer/utf8.h"

namespace potstill::tokenizer {
namespace {

using Bytes = std::vector<std::uint8_t>;

// The map of "a" to "xyz" and of "z" to nothing: a root whose children lie at 1 ^ label, each with a value at its 0.
Bytes small_map() {
  std::vector<std::uint32_t> units(256);
  const auto child = [&](unsigned char label, std::uint32_t leaf, std::uint32_t value) {
    const std::uint32_t at = 1u ^ label;
    units[at] = (at ^ leaf) << 10 | 1u << 8 | label;
    units[leaf] = 1u << 31 | value;
  };
  units[0] = 1u << 10;
  child('a', 2, 0);
  child('z', 4, 3);
  const std::uint32_t size = 1024;
  Bytes map(4 + size);
  std::memcpy(map.data(), &size, 4);
  std::memcpy(map.data() + 4, units.data(), size);
  for (const char c : {'x', 'y', 'z', '\0'}) map.push_back(static_cast<std::uint8_t>(c));
  return map;
}

TEST(Precompiled, ReplacesCharactersAndShortClusters) {
  const Bytes map = small_map();
  ASSERT_EQ(Charsmap::problem(map), nullptr);
  const Precompiled normalizer{Charsmap(map)};
  EXPECT_EQ(normalized(normalizer, "bab"), "bxyzb|0-1 1-2 1-2 1-2 2-3");
  EXPECT_EQ(normalized(normalizer, "a\u0301b"), "xyzb|0-1 1-3 1-3 3-4");  // the whole cluster
  EXPECT_EQ(normalized(normalizer, "a\u0301\u0301\u0301"), "xyz\u0301\u0301\u0301|0-1 0-1 0-1 1-3 1-3 3-5 3-5 5-7 5-7");
  EXPECT_EQ(normalized(normalizer, "bzzb"), "bb|0-1 3-4");
  EXPECT_EQ(normalized(normalizer, "zbzb"), "bb|0-1 2-3");  // the library's own slip: nothing before takes the first
  EXPECT_EQ(normalized(normalizer, "zz"), "|");
  EXPECT_EQ(normalized(normalizer, ""), "|");
}

TEST(Charsmap, Problems) {
  const Bytes map = small_map();
  EXPECT_NE(Charsmap::problem({}), nullptr);
  EXPECT_NE(Charsmap::problem(std::span(map).first(7)), nullptr);
  EXPECT_NE(Charsmap::problem(std::span(map).first(1000)), nullptr);
  Bytes changed = map;
  changed.back() = 0xFF;
  EXPECT_NE(Charsmap::problem(changed), nullptr);
  changed = map;
  changed.insert(changed.end(), 256, 'x');
  EXPECT_NE(Charsmap::problem(changed), nullptr);
  changed.pop_back();
  EXPECT_EQ(Charsmap::problem(changed), nullptr);
}

// Whatever becomes of the map, the text stays text.
TEST(Charsmap, MapsThatChangeUnderneath) {
  std::mt19937 random(1);
  Bytes map = small_map();
  const Precompiled normalizer{Charsmap(map)};
  for (int round = 0; round < 2000; ++round) {
    for (int i = 0; i < 20; ++i) map[4 + random() % (map.size() - 4)] = static_cast<std::uint8_t>(random());
    Text text("za\u0301zb\r\n\U0001F468ab\uAC00", 0, true);
    normalizer.apply(text);
    ASSERT_TRUE(utf8::valid(text.bytes));
    ASSERT_EQ(text.origins.size(), text.bytes.size());
  }
}

std::string clusters(std::string_view text) {
  std::string sizes;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = cluster_end(text, at);
    sizes += std::to_string(end - at) + " ";
    at = end;
  }
  return sizes;
}

TEST(Graphemes, Clusters) {
  EXPECT_EQ(clusters("ab"), "1 1 ");
  EXPECT_EQ(clusters("\r\n\n\r"), "2 1 1 ");
  EXPECT_EQ(clusters("a\u0301\u0302b"), "5 1 ");
  EXPECT_EQ(clusters("\u0001\u0301\u0301"), "1 4 ");                // after a control
  EXPECT_EQ(clusters("\u0600ab"), "3 1 ");                          // a prefix
  EXPECT_EQ(clusters("\u1100\u1161\u11A8\u1100"), "9 3 ");          // Hangul
  EXPECT_EQ(clusters("\uAC00\u11A8\uAC01\u1161"), "6 3 3 ");        // an open syllable takes a tail
  EXPECT_EQ(clusters("\u0915\u094D\u0924\u0915\u0924"), "9 3 3 ");  // a conjunct
  EXPECT_EQ(clusters("\u0915\u094D\u093C\u200D\u0924"), "15 ");     // ... with what may be in it
  EXPECT_EQ(clusters("\u00A9\uFE0F\u200D\u00A9\u00A9"), "10 2 ");   // an emoji of two
  EXPECT_EQ(clusters("\u00A9\u0903\u200D\u00A9"), "8 2 ");          // ... which a spacing mark parts
  EXPECT_EQ(clusters("\u200D\u00A9\u200D\u200D\u00A9"), "3 8 2 ");
}

}  // namespace
}  // namespace potstill::tokenizer
