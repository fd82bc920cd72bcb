// Expected values are those of `tokenizers`.

#include "tokenizer/normalizers/unicode_form.h"

#include <gtest/gtest.h>

#include <string>

#include "normalized.h"

namespace potstill::tokenizer {
namespace {

const UnicodeForm kNfc(fb::UnicodeForm::Nfc), kNfd(fb::UnicodeForm::Nfd);
const UnicodeForm kNfkc(fb::UnicodeForm::Nfkc), kNfkd(fb::UnicodeForm::Nfkd);

TEST(UnicodeForm, Decomposes) {
  EXPECT_EQ(normalized(kNfd, "aé"), "ae\u0301|0-1 1-3 1-3 1-3");
  EXPECT_EQ(normalized(kNfd, "ﬁ"), "ﬁ|0-3 0-3 0-3");
  EXPECT_EQ(normalized(kNfkd, "ﬁ"), "fi|0-3 0-3");
  EXPECT_EQ(normalized(kNfd, "가"), "\u1100\u1161|0-3 0-3 0-3 0-3 0-3 0-3");
}

// What is moved takes the place of what stood there.
TEST(UnicodeForm, Reorders) {
  EXPECT_EQ(normalized(kNfd, "a\u0301\u0327"), "a\u0327\u0301|0-1 1-3 1-3 3-5 3-5");
  EXPECT_EQ(normalized(kNfd, "\u0301\u0327"), "\u0327\u0301|0-2 0-2 2-4 2-4");
}

TEST(UnicodeForm, Composes) {
  EXPECT_EQ(normalized(kNfc, "e\u0301x"), "éx|0-1 0-1 3-4");
  EXPECT_EQ(normalized(kNfc, "é"), "é|0-2 0-2");
  EXPECT_EQ(normalized(kNfc, "s\u0307\u0323"), "ṩ|0-1 0-1 0-1");
  EXPECT_EQ(normalized(kNfc, "\u1100\u1161\u11A8"), "각|0-3 0-3 0-3");
  EXPECT_EQ(normalized(kNfc, "\u212B"), "Å|0-3 0-3");
  EXPECT_EQ(normalized(kNfc, "\u0958"), "\u0915\u093C|0-3 0-3 0-3 0-3 0-3 0-3");  // excluded from composition
  EXPECT_EQ(normalized(kNfkc, "ｶﾞ"), "ガ|0-3 0-3 0-3");
}

TEST(UnicodeForm, MarksBetweenBlockWhatFollows) {
  EXPECT_EQ(normalized(kNfc, "a\u0327\u0301"), "á\u0327|0-1 0-1 3-5 3-5");
  EXPECT_EQ(normalized(kNfc, "a\u0315\u0300\u05AE\u0301"), "à\u05AE\u0301\u0315|0-1 0-1 3-5 3-5 5-7 5-7 7-9 7-9");
}

TEST(UnicodeForm, LongRunsOfMarks) {
  std::string given = "a", sorted = "a";
  for (int i = 0; i < 20000; ++i) given += "\u0301\u0327";
  for (int i = 0; i < 20000; ++i) sorted += "\u0327";
  for (int i = 0; i < 20000; ++i) sorted += "\u0301";
  Text text(given, 0, true);
  kNfd.apply(text);
  EXPECT_EQ(text.bytes, sorted);
  EXPECT_EQ(text.origins.size(), text.bytes.size());
}

}  // namespace
}  // namespace potstill::tokenizer
