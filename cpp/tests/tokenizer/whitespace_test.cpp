// Expected words and places are those of Hugging Face tokenizers 0.23.
#include "tokenizer/pre_tokenizers/whitespace.h"

#include <gtest/gtest.h>

#include "cut_words.h"

namespace potstill::tokenizer {
namespace {

using namespace testing;

TEST(Whitespace, LettersAndOtherCharactersAreWordsApart) {
  EXPECT_EQ(cut(Whitespace(), "Hey, we_are  2²!? \u3000naïve e\u0301\u200da "), (Cut{{"Hey", 0, 3},
                                                                                     {",", 3, 4},
                                                                                     {"we_are", 5, 11},
                                                                                     {"2", 13, 14},
                                                                                     {"²!?", 14, 18},
                                                                                     {"naïve", 22, 28},
                                                                                     {"e\u0301\u200da", 29, 36}}));
}

TEST(WhitespaceSplit, WhiteSpaceParts) {
  EXPECT_EQ(cut(WhitespaceSplit(), "Hey, you\u3000there\u0085\n!"),
            (Cut{{"Hey,", 0, 4}, {"you", 5, 8}, {"there", 11, 16}, {"!", 19, 20}}));
}

}  // namespace
}  // namespace potstill::tokenizer
