// Expected words and places are those of Hugging Face tokenizers 0.23.
#include "tokenizer/pre_tokenizers/punctuation.h"

#include <gtest/gtest.h>

#include "cut_words.h"

namespace potstill::tokenizer {
namespace {

using namespace testing;

Cut by(fb::Behavior behavior) { return cut(Punctuation(behavior), "Hey, you!?  —x"); }

TEST(Punctuation, EachBehavior) {
  using enum fb::Behavior;
  EXPECT_EQ(by(Removed), (Cut{{"Hey", 0, 3}, {" you", 4, 8}, {"  ", 10, 12}, {"x", 15, 16}}));
  EXPECT_EQ(by(Isolated), (Cut{{"Hey", 0, 3},
                               {",", 3, 4},
                               {" you", 4, 8},
                               {"!", 8, 9},
                               {"?", 9, 10},
                               {"  ", 10, 12},
                               {"—", 12, 15},
                               {"x", 15, 16}}));
  EXPECT_EQ(by(MergedWithPrevious),
            (Cut{{"Hey,", 0, 4}, {" you!", 4, 9}, {"?", 9, 10}, {"  —", 10, 15}, {"x", 15, 16}}));
  EXPECT_EQ(by(MergedWithNext), (Cut{{"Hey", 0, 3}, {", you", 3, 8}, {"!", 8, 9}, {"?  ", 9, 12}, {"—x", 12, 16}}));
  EXPECT_EQ(
      by(Contiguous),
      (Cut{{"Hey", 0, 3}, {",", 3, 4}, {" you", 4, 8}, {"!?", 8, 10}, {"  ", 10, 12}, {"—", 12, 15}, {"x", 15, 16}}));
}

}  // namespace
}  // namespace potstill::tokenizer
