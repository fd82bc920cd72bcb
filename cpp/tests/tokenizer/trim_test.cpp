// Expected places are those of Hugging Face tokenizers 0.23.
#include "tokenizer/trim.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "small_vocabulary.h"

namespace potstill::tokenizer {
namespace {

using namespace testing;
using Places = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

// Ids:                                   0     1     2      3         4     5    6
const SmallVocabulary kPieces({"Ġa", "a", "ĠĠ", "Ġ\u3000b ", "ĊĠ", "Ġ", ""}, 0);

Places trimmed(bool prefix_space, std::vector<Token> tokens) {
  trim(kPieces.view(), prefix_space, tokens);
  Places places;
  for (const Token& token : tokens) places.emplace_back(token.begin, token.end);
  return places;
}

TEST(Trim, WhiteSpaceIsOfNoPlace) {
  EXPECT_EQ(trimmed(false, {{0, 0, 2}, {1, 2, 3}, {2, 3, 5}}), (Places{{1, 2}, {2, 3}, {5, 5}}));
  EXPECT_EQ(trimmed(false, {{3, 0, 4}, {4, 4, 6}, {6, 6, 6}}), (Places{{2, 3}, {4, 5}, {6, 6}}));
}

TEST(Trim, TheSpaceThatWasPutInStays) {
  EXPECT_EQ(trimmed(true, {{0, 0, 1}, {0, 1, 3}}), (Places{{0, 1}, {2, 3}}));
  EXPECT_EQ(trimmed(true, {{0, 5, 7}, {0, 0, 2}, {2, 0, 2}}), (Places{{5, 7}, {0, 2}, {2, 2}}));
  EXPECT_EQ(trimmed(true, {{5, 0, 1}}), (Places{{0, 0}}));
}

}  // namespace
}  // namespace potstill::tokenizer
