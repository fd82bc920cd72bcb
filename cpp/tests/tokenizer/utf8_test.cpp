// Expected texts are those of Python's bytes.decode("utf-8", errors="replace").
#include "tokenizer/utf8.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace potstill::tokenizer::utf8 {
namespace {

TEST(Utf8, EveryCharacterGoesThereAndBack) {
  for (char32_t point = 0; point <= 0x10FFFF; ++point) {
    if (point >= 0xD800 && point < 0xE000) continue;
    std::string text;
    append(text, point);
    std::size_t at = 0;
    ASSERT_TRUE(valid(text)) << static_cast<unsigned>(point);
    ASSERT_EQ(next(text, at), point);
    ASSERT_EQ(at, text.size());
    ASSERT_EQ(repaired(text), text);
  }
}

TEST(Utf8, InvalidPartsBecomeOneReplacementEach) {
  const std::string r = "\xEF\xBF\xBD";
  const std::vector<std::pair<std::string_view, std::string>> cases = {
      {"\x80", r},                                // continuation without a lead
      {"\xC0\xAF", r + r},                        // overlong
      {"\xC1\xBF", r + r},                        //
      {"\xE0\x80\x80", r + r + r},                // overlong, second byte out of range
      {"\xE0\xA0", r},                            // cut short
      {"\xED\xA0\x80", r + r + r},                // surrogate
      {"\xF0\x80\x80\x80", r + r + r + r},        // overlong
      {"\xF0\x9F\x98", r},                        // cut short
      {"\xF0\x9F\x98!", r + "!"},                 //
      {"\xF4\x90\x80\x80", r + r + r + r},        // above U+10FFFF
      {"\xF5\xFF", r + r},                        // bytes that never occur
      {"a\xE4\xB8\xC3\xA9", "a" + r + "\u00e9"},  // the good character after a bad one stays
      {"12345678\xFF", "12345678" + r},           // after the eight-byte step
  };
  for (const auto& [bytes, text] : cases) {
    EXPECT_FALSE(valid(bytes));
    EXPECT_EQ(repaired(bytes), text);
    EXPECT_TRUE(valid(repaired(bytes)));
  }
}

TEST(Utf8, AnyBytesBecomeValid) {
  unsigned state = 1;
  for (int round = 0; round < 20000; ++round) {
    std::string bytes;
    for (unsigned i = 0; i < 12; ++i) {
      state = state * 1664525u + 1013904223u;
      bytes.push_back(static_cast<char>((state >> 24) | (round % 2 == 0 ? 0x80u : 0u)));
    }
    const std::string text = repaired(bytes);
    ASSERT_TRUE(valid(text));
    ASSERT_EQ(text == bytes, valid(bytes));
  }
}

}  // namespace
}  // namespace potstill::tokenizer::utf8
