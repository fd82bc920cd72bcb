// Expected words and places are those of Hugging Face tokenizers 0.23.
#include "tokenizer/pre_tokenizers/split.h"

#include <gtest/gtest.h>

#include "cut_words.h"

namespace potstill::tokenizer {
namespace {

using namespace testing;
using enum fb::Behavior;

Cut by_dash(fb::Behavior behavior, bool invert = false) {
  return cut(Split(Pattern(fb::PatternKind::Text, "-"), behavior, invert), "-the-final--countdown-");
}

TEST(Split, EachBehavior) {
  EXPECT_EQ(by_dash(Removed), (Cut{{"the", 1, 4}, {"final", 5, 10}, {"countdown", 12, 21}}));
  EXPECT_EQ(by_dash(Isolated), (Cut{{"-", 0, 1},
                                    {"the", 1, 4},
                                    {"-", 4, 5},
                                    {"final", 5, 10},
                                    {"-", 10, 11},
                                    {"-", 11, 12},
                                    {"countdown", 12, 21},
                                    {"-", 21, 22}}));
  EXPECT_EQ(by_dash(MergedWithPrevious),
            (Cut{{"-", 0, 1}, {"the-", 1, 5}, {"final-", 5, 11}, {"-", 11, 12}, {"countdown-", 12, 22}}));
  EXPECT_EQ(by_dash(MergedWithNext),
            (Cut{{"-the", 0, 4}, {"-final", 4, 10}, {"-", 10, 11}, {"-countdown", 11, 21}, {"-", 21, 22}}));
  EXPECT_EQ(by_dash(Contiguous), (Cut{{"-", 0, 1},
                                      {"the", 1, 4},
                                      {"-", 4, 5},
                                      {"final", 5, 10},
                                      {"--", 10, 12},
                                      {"countdown", 12, 21},
                                      {"-", 21, 22}}));
}

TEST(Split, Inverted) {
  EXPECT_EQ(by_dash(Removed, true), (Cut{{"-", 0, 1}, {"-", 4, 5}, {"-", 10, 11}, {"-", 11, 12}, {"-", 21, 22}}));
  EXPECT_EQ(by_dash(Isolated, true), by_dash(Isolated));
  EXPECT_EQ(by_dash(MergedWithPrevious, true),
            (Cut{{"-the", 0, 4}, {"-final", 4, 10}, {"-", 10, 11}, {"-countdown", 11, 21}, {"-", 21, 22}}));
  EXPECT_EQ(by_dash(MergedWithNext, true),
            (Cut{{"-", 0, 1}, {"the-", 1, 5}, {"final-", 5, 11}, {"-", 11, 12}, {"countdown-", 12, 22}}));
  EXPECT_EQ(by_dash(Contiguous, true), by_dash(Contiguous));
}

TEST(Split, CutsEachWordByItself) {
  const Split spaces(Pattern(fb::PatternKind::WhiteSpace), Removed, false);
  const Split start = isolated(fb::PatternKind::TextAtStart, "a");
  EXPECT_EQ(cut(Steps{&spaces, &start}, "ab aa"), (Cut{{"a", 0, 1}, {"b", 1, 2}, {"a", 3, 4}, {"a", 4, 5}}));
  EXPECT_EQ(cut(spaces, " \n"), Cut{});
  EXPECT_EQ(cut(spaces, ""), Cut{});
}

}  // namespace
}  // namespace potstill::tokenizer
