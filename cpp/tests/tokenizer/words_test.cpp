// Where words are, in characters.
#include "tokenizer/words.h"

#include <gtest/gtest.h>

#include <string_view>
#include <utility>
#include <vector>

namespace potstill::tokenizer {
namespace {

using Ranges = std::vector<std::pair<std::size_t, std::size_t>>;

TEST(WordRanges, PartAtWhiteSpaceAndPunctuation) {
  EXPECT_EQ(word_ranges("Bob lives, there."), (Ranges{{0, 3}, {4, 9}, {9, 10}, {11, 16}, {16, 17}}));
  EXPECT_EQ(word_ranges("  don't\t\n"), (Ranges{{2, 5}, {5, 6}, {6, 7}}));
  EXPECT_TRUE(word_ranges("").empty());
  EXPECT_TRUE(word_ranges(" \n").empty());
  EXPECT_EQ(word_ranges("a"), (Ranges{{0, 1}}));
}

TEST(WordRanges, CountCharactersNotBytes) {
  // Two-, three- and four-byte characters; an ideograph is a word of its own.
  EXPECT_EQ(word_ranges("caf\u00e9 na\u00efve"), (Ranges{{0, 4}, {5, 10}}));
  EXPECT_EQ(word_ranges("x\u4e2d\u6587y"), (Ranges{{0, 1}, {1, 2}, {2, 3}, {3, 4}}));
  EXPECT_EQ(word_ranges("\U0001f600 ok"), (Ranges{{0, 1}, {2, 4}}));
  // A combining mark stays with its letter.
  EXPECT_EQ(word_ranges("e\u0301t\u00e9!"), (Ranges{{0, 4}, {4, 5}}));
  // No-break space and ideographic space are white space, a typographic quote is punctuation.
  EXPECT_EQ(word_ranges("a\u00a0b\u3000c\u201d"), (Ranges{{0, 1}, {2, 3}, {4, 5}, {5, 6}}));
}

TEST(WordRanges, LeaveControlCharactersInTheirWord) {
  EXPECT_EQ(word_ranges("a\u200bb \u200b c"), (Ranges{{0, 3}, {6, 7}}));
  EXPECT_EQ(word_ranges("\x01"
                        "a"),
            (Ranges{{1, 2}}));
}

}  // namespace
}  // namespace potstill::tokenizer
