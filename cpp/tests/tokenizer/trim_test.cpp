// Expected places are those of Hugging Face tokenizers 0.23.
#include "tokenizer/trim.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <utility>
#include <vector>

namespace potstill::tokenizer {
namespace {

using Places = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

struct Given {
  const char* text;
  std::uint32_t begin, end;
};

Places trimmed(bool prefix_space, const std::vector<Given>& given) {
  std::vector<Placed> tokens;
  for (const Given& one : given) tokens.push_back({0, one.begin, one.end, spaces_of(one.text)});
  trim(prefix_space, tokens);
  Places places;
  for (const Placed& token : tokens) places.emplace_back(token.begin, token.end);
  return places;
}

TEST(Trim, WhiteSpaceIsOfNoPlace) {
  EXPECT_EQ(trimmed(false, {{"Ġa", 0, 2}, {"a", 2, 3}, {"ĠĠ", 3, 5}}), (Places{{1, 2}, {2, 3}, {5, 5}}));
  EXPECT_EQ(trimmed(false, {{"Ġ\u3000b ", 0, 4}, {"ĊĠ", 4, 6}, {"", 6, 6}}), (Places{{2, 3}, {4, 5}, {6, 6}}));
}

TEST(Trim, TheSpaceThatWasPutInStays) {
  EXPECT_EQ(trimmed(true, {{"Ġa", 0, 1}, {"Ġa", 1, 3}}), (Places{{0, 1}, {2, 3}}));
  EXPECT_EQ(trimmed(true, {{"Ġa", 5, 7}, {"Ġa", 0, 2}, {"ĠĠ", 0, 2}}), (Places{{5, 7}, {0, 2}, {2, 2}}));
  EXPECT_EQ(trimmed(true, {{"Ġ", 0, 1}}), (Places{{0, 0}}));
}

}  // namespace
}  // namespace potstill::tokenizer
