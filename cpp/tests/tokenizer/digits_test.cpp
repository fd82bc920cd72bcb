// Expected words and places are those of Hugging Face tokenizers 0.23.
#include "tokenizer/pre_tokenizers/digits.h"

#include <gtest/gtest.h>

#include "cut_words.h"

namespace potstill::tokenizer {
namespace {

using namespace testing;

TEST(Digits, WholeNumbersOrEachDigit) {
  EXPECT_EQ(cut(Digits(false), "a12²b½٣Ⅻ"), (Cut{{"a", 0, 1}, {"12²", 1, 5}, {"b", 5, 6}, {"½٣Ⅻ", 6, 13}}));
  EXPECT_EQ(
      cut(Digits(true), "a12²b½٣Ⅻ"),
      (Cut{{"a", 0, 1}, {"1", 1, 2}, {"2", 2, 3}, {"²", 3, 5}, {"b", 5, 6}, {"½", 6, 8}, {"٣", 8, 10}, {"Ⅻ", 10, 13}}));
}

}  // namespace
}  // namespace potstill::tokenizer
