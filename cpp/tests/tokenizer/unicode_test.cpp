#include "tokenizer/unicode.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <vector>

namespace potstill::tokenizer::unicode {
namespace {

std::vector<std::uint32_t> parts(char32_t point) {
  std::array<std::uint32_t, 3> room{};
  const auto found = decomposition(point, room);
  return {found.begin(), found.end()};
}

TEST(Unicode, Classes) {
  EXPECT_EQ(class_of('a').flags, 0);
  EXPECT_EQ(class_of('A').flags, kLowers);
  EXPECT_EQ(class_of(' ').flags, kWhitespace);
  EXPECT_EQ(class_of('$').flags, kPunctuation);  // ASCII symbols count
  EXPECT_EQ(class_of(0x00A3).flags, 0);          // POUND SIGN, a symbol outside of ASCII, does not
  EXPECT_EQ(class_of(0x0085).flags, kControl | kWhitespace);
  EXPECT_EQ(class_of(0xFFFD).flags, kControl);
  EXPECT_EQ(class_of(0x4E00).flags, kChinese);
  EXPECT_EQ(class_of(0xAC00).flags, kDecomposes);
  EXPECT_EQ(class_of(0x00C9).flags, kDecomposes | kLowers);
  EXPECT_EQ(class_of(0x0301).flags, kMark);
  EXPECT_EQ(class_of(0x0301).combining, 230);
  EXPECT_EQ(class_of(0x302E).combining, 224);
}

TEST(Unicode, AnyValueHasAClass) {
  EXPECT_EQ(class_of(0x10FFFF).combining, 0);
  EXPECT_EQ(class_of(0x110000).combining, 0);
  EXPECT_EQ(class_of(0xFFFFFFFF).combining, 0);
}

TEST(Unicode, Decompositions) {
  EXPECT_EQ(parts(0x00C9), (std::vector<std::uint32_t>{'E', 0x0301}));
  EXPECT_EQ(parts(0x1F82), (std::vector<std::uint32_t>{0x03B1, 0x0313, 0x0300, 0x0345}));  // the longest, full depth
  EXPECT_EQ(parts(0xAC00), (std::vector<std::uint32_t>{0x1100, 0x1161}));
  EXPECT_EQ(parts(0xD7A3), (std::vector<std::uint32_t>{0x1112, 0x1175, 0x11C2}));
  EXPECT_EQ(parts('a'), (std::vector<std::uint32_t>{}));
}

TEST(Unicode, FlagsAndMappingsAgree) {
  for (char32_t point = 0; point <= 0x10FFFF; ++point) {
    const std::uint8_t flags = class_of(point).flags;
    ASSERT_EQ((flags & kDecomposes) != 0, !parts(point).empty()) << static_cast<unsigned>(point);
    ASSERT_EQ((flags & kLowers) != 0, !lower(point).empty()) << static_cast<unsigned>(point);
  }
}

// Full decompositions do not decompose further and lie in canonical order.
TEST(Unicode, DecompositionsAreFull) {
  for (char32_t point = 0; point <= 0x10FFFF; ++point) {
    std::uint8_t before = 0;
    for (const std::uint32_t part : parts(point)) {
      const Class here = class_of(part);
      ASSERT_EQ(here.flags & kDecomposes, 0) << static_cast<unsigned>(point);
      ASSERT_TRUE(here.combining == 0 || here.combining >= before) << static_cast<unsigned>(point);
      before = here.combining;
    }
  }
}

}  // namespace
}  // namespace potstill::tokenizer::unicode
