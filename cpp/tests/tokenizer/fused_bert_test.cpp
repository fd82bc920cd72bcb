// Expected ids are those of Hugging Face tokenizers 0.23 over the same small vocabulary.
#include "tokenizer/fused_bert.h"

#include <gtest/gtest.h>

#include <string_view>

#include "small_vocabulary.h"

namespace potstill::tokenizer {
namespace {

using namespace testing;

TEST(FusedBert, LowercaseAndAccents) {
  const SmallVocabulary v = words();
  EXPECT_EQ(v.encode("TURN Café CAFE\u0301"), (Ids{5, 9, 9}));
  EXPECT_EQ(v.encode("Turn turn café", cased(false, false)), (Ids{24, 5, 25}));
  EXPECT_EQ(v.encode("Turn café", cased(false, true)), (Ids{24, 9}));
  EXPECT_EQ(v.encode("CAFÉ", cased(true, false)), (Ids{25}));
}

TEST(FusedBert, DottedCapitalIBecomesTwoCharacters) {
  const SmallVocabulary v = words();
  EXPECT_EQ(v.encode("\u0130", cased(true, false)), (Ids{23}));
  EXPECT_EQ(v.encode("\u0130", cased(true, true)), (Ids{21}));
}

TEST(FusedBert, CleanTextRemovesWithoutSplitting) {
  const SmallVocabulary v = words();
  using namespace std::string_view_literals;
  EXPECT_EQ(v.encode("tu\0rn l\u200di\u00adght\u0085s a\x0b"
                     "b"sv),
            (Ids{5, 6, 8, 20}));
  const Settings raw{.bert = {.clean_text = false}};
  EXPECT_EQ(v.encode("tu\0rn a\x0b"
                     "b"sv,
                     raw),
            (Ids{kUnk, 16, 17}));
}

TEST(FusedBert, ChineseCharactersStandAlone) {
  const SmallVocabulary v = words();
  EXPECT_EQ(v.encode("a中中b"), (Ids{16, 14, 14, 17}));
  const Settings whole{.bert = {.handle_chinese_chars = false}};
  EXPECT_EQ(v.encode("a中中b", whole), (Ids{16, 15, 15, 19}));
}

TEST(FusedBert, HangulDecomposesByFormula) {
  // U+AC01 = U+1100 U+1161 U+11A8, U+AC00 = U+1100 U+1161
  const SmallVocabulary v = SmallVocabulary::bert({"\u1100", "##\u1161", "##\u11a8", "\uac01"});
  EXPECT_EQ(v.encode("\uac01 \uac00"), (Ids{5, 6, 7, 5, 6}));
  EXPECT_EQ(v.encode("\uac01", cased(true, false)), (Ids{8}));
}

TEST(FusedBert, KeptMarksComeInCanonicalOrder) {
  // U+1D165 (class 216) and U+302E (class 224) are spacing marks, which strip_accents keeps; U+0301 (230) goes.
  const SmallVocabulary v = SmallVocabulary::bert({"a", "##\U0001D165", "##\u302e"});
  EXPECT_EQ(v.encode("a\u302e\u0301\U0001D165"), (Ids{5, 6, 7}));
  EXPECT_EQ(v.encode("a\u302e\U0001D165\u302e"), (Ids{5, 6, 7, 7}));
  EXPECT_EQ(v.encode("a\u302e\U0001D165", cased(true, false)), (Ids{5, 7, 6}));
}

}  // namespace
}  // namespace potstill::tokenizer
