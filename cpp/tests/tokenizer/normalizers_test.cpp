// The small normalizers; unicode_form and precompiled have files of their own. Expected values are those of
// `tokenizers`.

#include <gtest/gtest.h>

#include "normalized.h"
#include "tokenizer/normalizers/lowercase.h"
#include "tokenizer/normalizers/nmt.h"
#include "tokenizer/normalizers/prepend.h"
#include "tokenizer/normalizers/replace.h"
#include "tokenizer/normalizers/strip.h"
#include "tokenizer/normalizers/strip_accents.h"

namespace potstill::tokenizer {
namespace {

TEST(Lowercase, KeepsPlaces) {
  EXPECT_EQ(normalized(Lowercase(), "Ab"), "ab|0-1 1-2");
  EXPECT_EQ(normalized(Lowercase(), "ÉΣ"), "éσ|0-2 0-2 2-4 2-4");              // no context: a final sigma stays one
  EXPECT_EQ(normalized(Lowercase(), "Aİb"), "ai\u0307b|0-1 1-3 1-3 1-3 3-4");  // one character becomes two
  EXPECT_EQ(normalized(Lowercase(), "\u1E9EA"), "ßa|0-3 0-3 3-4");
  EXPECT_EQ(normalized(Lowercase(), ""), "|");
}

TEST(StripAccents, DropsMarks) {
  EXPECT_EQ(normalized(StripAccents(), "e\u0301\u0302o"), "eo|0-1 5-6");
  EXPECT_EQ(normalized(StripAccents(), "\u0301a"), "a|2-3");
  EXPECT_EQ(normalized(StripAccents(), "é"), "é|0-2 0-2");  // does not decompose
}

TEST(Strip, EitherEnd) {
  EXPECT_EQ(normalized(Strip(true, false), " \u3000a b "), "a b |4-5 5-6 6-7 7-8");
  EXPECT_EQ(normalized(Strip(false, true), " a\u3000\u0085"), " a|0-1 1-2");
  EXPECT_EQ(normalized(Strip(true, true), " \n"), "|");
  EXPECT_EQ(normalized(Strip(false, false), " a "), " a |0-1 1-2 2-3");
}

TEST(Prepend, HasThePlaceOfTheFirstCharacter) {
  EXPECT_EQ(normalized(Prepend("xy"), "éb"), "xyéb|0-2 0-2 0-2 0-2 2-3");
  EXPECT_EQ(normalized(Prepend("xy"), ""), "|");
}

TEST(Nmt, DropsControlsAndBlanksOddSpace) {
  EXPECT_EQ(normalized(Nmt(),
                       "a\tb\x01"
                       "c\u200B\u007F"),
            "a bc |0-1 1-2 2-3 4-5 5-8");
}

TEST(Replace, HasThePlaceOfWhatIsReplaced) {
  EXPECT_EQ(normalized(Replace(Pattern(fb::PatternKind::Text, " "), "\u2581"), "a b"),
            "a\u2581"
            "b|0-1 1-2 1-2 1-2 2-3");
  EXPECT_EQ(normalized(Replace(Pattern(fb::PatternKind::Text, "aa"), "Q"), "aaab"), "Qab|1-2 2-3 3-4");
  EXPECT_EQ(normalized(Replace(Pattern(fb::PatternKind::Text, "a"), ""), "aab"), "b|2-3");
  EXPECT_EQ(normalized(Replace(Pattern(fb::PatternKind::Spaces), "_"), "a b   c"), "a b_c|0-1 1-2 2-3 5-6 6-7");
}

}  // namespace
}  // namespace potstill::tokenizer
