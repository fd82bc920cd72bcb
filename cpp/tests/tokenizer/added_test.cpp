// Expected ids are those of Hugging Face tokenizers 0.23 over the same small vocabulary.
#include "tokenizer/added.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "format/reader.h"
#include "small_vocabulary.h"

namespace potstill::tokenizer {
namespace {

using namespace testing;

TEST(AddedTokens, AddedTokensAreCutOutOfTheRawText) {
  const SmallVocabulary v = words();
  EXPECT_EQ(v.encode("a[MASK]b [CLS]"), (Ids{16, kMask, 17, kCls}));
  EXPECT_EQ(v.encode("[mask] [[MASK]]"), (Ids{12, 26, 13, 12, kMask, 13}));
  EXPECT_EQ(v.encode("[MAS"), (Ids{12, kUnk}));
  SmallVocabulary none = words();
  none.added_ids = {};
  EXPECT_EQ(none.encode("[MASK]"), (Ids{12, 26, 13}));
}

TEST(AddedTokens, LongestAddedTokenWinsAndMayBeOutsideTheVocabulary) {
  SmallVocabulary v({"[PAD]", "[UNK]", "[CLS]", "[SEP]", "<e>", "<e>x", "x", "e"}, 6);
  EXPECT_EQ(v.encode("<e>x<e>e<E>"), (Ids{5, 4, 7, kUnk, 7, kUnk}));
  for (std::int32_t& slot : v.slots) slot = slot == 5 ? 4 : slot;  // id 5 now lives in the text of the pieces alone
  EXPECT_EQ(v.view().find("<e>x"), -1);
  EXPECT_EQ(v.encode("<e>x"), (Ids{5}));
}

// Id and text of each part.
std::string parts(const AddedTokens& tokens, std::string_view text) {
  std::string found;
  for (const AddedTokens::Part& part : tokens.cut(text)) {
    found += std::to_string(part.id) + "|" + std::string(text.substr(part.begin, part.end - part.begin)) + "|";
  }
  return found;
}

TEST(AddedTokens, WhiteSpaceGoesWithAToken) {
  const AddedTokens both({{4, "<m>", true, true}, {5, "<l>", true}, {6, "<r>", false, true}});
  const auto cut = [&](std::string_view text) { return parts(both, text); };
  EXPECT_EQ(cut("a \u3000<m>\t b"), "-1|a|4| \u3000<m>\t |-1|b|");
  EXPECT_EQ(cut("a <l> b"), "-1|a|5| <l>|-1| b|");
  EXPECT_EQ(cut("a <r> b"), "-1|a |6|<r> |-1|b|");
  EXPECT_EQ(cut("<r>  <m>"), "6|<r>  |4|<m>|");  // what the first took is gone
  EXPECT_EQ(cut(""), "");
}

TEST(AddedTokens, SingleWordsHaveNoCharacterOfAWordBesideThem) {
  const AddedTokens tokens({{4, "ab", false, false, true}, {5, "b"}, {6, "-", true, true, true}});
  const auto cut = [&](std::string_view text) { return parts(tokens, text); };
  EXPECT_EQ(cut("ab"), "4|ab|");
  EXPECT_EQ(cut("ab ab.abab"), "4|ab|-1| |4|ab|-1|.abab|");
  EXPECT_EQ(cut("xab b"), "-1|xab |5|b|");  // nothing is looked for in what was passed over
  EXPECT_EQ(cut("é"
                "ab 中ab ab_ ab\u0301 ab\u200d"),
            "-1|é"
            "ab 中ab ab_ ab\u0301 ab\u200d|");
  EXPECT_EQ(cut("€ab… a -  c"), "-1|€|4|ab|-1|… a|6| -  |-1|c|");  // white space that a token takes is beside it too
  EXPECT_EQ(cut("a- c"), "-1|a- c|");
}

TEST(AddedTokens, WhatIsUnsound) {
  SmallVocabulary v = sound();
  v.added_ids.assign(format::kMaxAddedTokens + 1, 4);
  v.expect_problem("too many added");
  v = sound();
  v.offsets.push_back(v.offsets.back());
  v.added_ids = {9};
  v.expect_problem("is empty");
  v = sound();
  v.blob.back() = '\xff';
  v.added_ids = {8};
  v.expect_problem("UTF-8");
}

}  // namespace
}  // namespace potstill::tokenizer
