#include "tokenizer/unicode.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace potstill::tokenizer::unicode {
namespace {

std::u32string canonical(char32_t point) {
  Room room{};
  const auto found = unicode::decomposition(point, room);
  return {found.begin(), found.end()};
}

std::u32string compatible(char32_t point) {
  Room room{};
  const auto found = unicode::compatible(point, room);
  return {found.begin(), found.end()};
}

std::u32string lower(char32_t point) {
  Room room{};
  const auto found = unicode::lower(point, room);
  return {found.begin(), found.end()};
}

TEST(Unicode, Classes) {
  EXPECT_EQ(class_of('a').flags, kLetter | kLowerLetter | kWordChar);
  EXPECT_EQ(class_of('A').flags, kLowers | kLetter | kUpperLetter | kWordChar);
  EXPECT_EQ(class_of('0').flags, kNumber | kNumeric | kWordChar);
  EXPECT_EQ(class_of('_').flags, kPunctuation | kWordChar);
  EXPECT_EQ(class_of(' ').flags, kWhitespace | kSpace);
  EXPECT_EQ(class_of('$').flags, kPunctuation);  // ASCII symbols count
  EXPECT_EQ(class_of(0x00A3).flags, 0u);         // POUND SIGN, a symbol outside of ASCII, does not
  EXPECT_EQ(class_of(0x0085).flags, kControl | kWhitespace | kSpace);
  EXPECT_EQ(class_of(0xFFFD).flags, kControl);
  EXPECT_EQ(class_of(0x4E00).flags, kChinese | kLetter | kWordChar);
  EXPECT_EQ(class_of(0xAC00).flags, kDecomposes | kLetter | kWordChar);
  EXPECT_EQ(class_of(0x00C9).flags, kDecomposes | kLowers | kLetter | kUpperLetter | kWordChar);
  EXPECT_EQ(class_of(0xFB01).flags, kCompatible | kLetter | kLowerLetter | kWordChar);
  EXPECT_EQ(class_of(0x0301).flags, kMark | kCombiningMark | kAnyMark | kUnstable | kWordChar);
  EXPECT_EQ(class_of(0x0301).combining, 230);
  EXPECT_EQ(class_of(0x302E).combining, 224);
}

TEST(Unicode, AnyValueHasAClass) {
  EXPECT_EQ(class_of(0x10FFFF).combining, 0);
  EXPECT_EQ(class_of(0x110000).combining, 0);
  EXPECT_EQ(class_of(0xFFFFFFFF).combining, 0);
  EXPECT_EQ(canonical(0xFFFFFFFF), U"");
  EXPECT_EQ(composed(0xFFFFFFFF, 0xFFFFFFFF), char32_t{0});
}

TEST(Unicode, Mappings) {
  EXPECT_EQ(canonical(0x00C9), U"E\u0301");
  EXPECT_EQ(canonical(0x1F82), U"\u03B1\u0313\u0300\u0345");  // the longest, full depth
  EXPECT_EQ(canonical(0x1D160), U"\U0001D158\U0001D165\U0001D16E");
  EXPECT_EQ(canonical(0xAC00), U"\u1100\u1161");
  EXPECT_EQ(canonical(0xD7A3), U"\u1112\u1175\u11C2");
  EXPECT_EQ(canonical('a'), U"");
  EXPECT_EQ(compatible(0xFB01), U"fi");
  EXPECT_EQ(compatible(0xFDFA).size(), 18u);  // the longest
  EXPECT_EQ(compatible(0x00C9), U"");         // its only decomposition is canonical
  EXPECT_EQ(lower(0x0130), U"i\u0307");
  EXPECT_EQ(lower(0x10400), U"\U00010428");
}

TEST(Unicode, FlagsAndMappingsAgree) {
  for (char32_t point = 0; point <= 0x10FFFF; ++point) {
    const Flags flags = class_of(point).flags;
    ASSERT_EQ((flags & kDecomposes) != 0, !canonical(point).empty()) << static_cast<unsigned>(point);
    ASSERT_EQ((flags & kCompatible) != 0, !compatible(point).empty()) << static_cast<unsigned>(point);
    ASSERT_EQ((flags & kLowers) != 0, !lower(point).empty()) << static_cast<unsigned>(point);
  }
}

// Full decompositions do not decompose further and lie in canonical order.
TEST(Unicode, DecompositionsAreFull) {
  for (char32_t point = 0; point <= 0x10FFFF; ++point) {
    for (const std::u32string& parts : {canonical(point), compatible(point)}) {
      std::uint8_t before = 0;
      for (const char32_t part : parts) {
        const Class here = class_of(part);
        ASSERT_EQ(here.flags & kDecomposes, 0u) << static_cast<unsigned>(point);
        ASSERT_TRUE(here.combining == 0 || here.combining >= before) << static_cast<unsigned>(point);
        before = here.combining;
      }
    }
  }
}

TEST(Unicode, Compositions) {
  EXPECT_EQ(composed('E', 0x0301), char32_t{0x00C9});
  EXPECT_EQ(composed(0x11099, 0x110BA), char32_t{0x1109A});
  EXPECT_EQ(composed(0x1100, 0x1161), char32_t{0xAC00});
  EXPECT_EQ(composed(0xAC00, 0x11A8), char32_t{0xAC01});
  EXPECT_EQ(composed(0xAC00, 0x11A7), char32_t{0});  // no tail
  EXPECT_EQ(composed(0xAC01, 0x11A8), char32_t{0});  // has one
  EXPECT_EQ(composed(0x0915, 0x093C), char32_t{0});  // excluded
  EXPECT_EQ(composed('E', 'E'), char32_t{0});
}

// What a decomposition composes to decomposes to it.
TEST(Unicode, CompositionsAreDecompositions) {
  for (char32_t point = 0; point <= 0x10FFFF; ++point) {
    const std::u32string parts = canonical(point);
    if (parts.size() != 2) continue;
    const char32_t joined = composed(parts[0], parts[1]);
    if (joined != 0) {
      ASSERT_EQ(canonical(joined), parts) << static_cast<unsigned>(point);
    }
  }
}

}  // namespace
}  // namespace potstill::tokenizer::unicode
