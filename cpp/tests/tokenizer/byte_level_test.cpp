// Expected words and places are those of Hugging Face tokenizers 0.23.
#include "tokenizer/pre_tokenizers/byte_level.h"

#include <gtest/gtest.h>

#include <string>

#include "cut_words.h"
#include "tokenizer/pre_tokenizers/whitespace.h"
#include "tokenizer/utf8.h"

namespace potstill::tokenizer {
namespace {

using namespace testing;

TEST(ByteLevel, CutsAndWritesBytes) {
  const ByteLevel plain(false, true);
  EXPECT_EQ(cut(plain, "Hé  it's\n"), (Cut{{"HÃ©", 0, 3}, {"Ġ", 3, 4}, {"Ġit", 4, 7}, {"'s", 7, 9}, {"Ċ", 9, 10}}));
  EXPECT_EQ(cut(plain, "中"), (Cut{{"ä¸Ń", 0, 3}}));
  EXPECT_EQ(cut(plain, " a"), (Cut{{"Ġa", 0, 2}}));
  EXPECT_EQ(cut(ByteLevel(false, false), "Hé  it's\n"), (Cut{{"HÃ©ĠĠit'sĊ", 0, 10}}));
}

TEST(ByteLevel, PrefixComesFromTheFirstCharacter) {
  const ByteLevel prefixed(true, true);
  EXPECT_EQ(cut(prefixed, "Hé  it's\n"), (Cut{{"ĠHÃ©", 0, 3}, {"Ġ", 3, 4}, {"Ġit", 4, 7}, {"'s", 7, 9}, {"Ċ", 9, 10}}));
  EXPECT_EQ(cut(prefixed, "\nx"), (Cut{{"Ġ", 0, 1}, {"Ċ", 0, 1}, {"x", 1, 2}}));
  EXPECT_EQ(cut(prefixed, "中"), (Cut{{"Ġä¸Ń", 0, 3}}));
  EXPECT_EQ(cut(prefixed, " a"), (Cut{{"Ġa", 0, 2}}));
  const WhitespaceSplit split;
  EXPECT_EQ(cut(Steps{&split, &prefixed}, "a  b"), (Cut{{"Ġa", 0, 1}, {"Ġb", 3, 4}}));
}

TEST(ByteLevel, EveryByteHasACharacterOfItsOwn) {
  std::string text;
  for (char32_t point = 0; point < 0x110; ++point) utf8::append(text, point);
  Words words = whole(text, false);
  ByteLevel(false, false).split(words);
  ASSERT_EQ(words.words.size(), 1u);
  EXPECT_EQ(utf8::characters(words.text.bytes), text.size());
  EXPECT_TRUE(utf8::valid(words.text.bytes));
}

}  // namespace
}  // namespace potstill::tokenizer
