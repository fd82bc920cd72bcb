#include "tokenizer/models/wordlevel.h"

#include <gtest/gtest.h>

#include "small_models.h"

namespace potstill::tokenizer {
namespace {

using namespace testing;

TEST(WordLevel, AWordIsAPieceOrUnknown) {
  const SmallVocabulary pieces({"<unk>", "turn", "中文"}, 0);
  const WordLevel model(pieces.view(), 0);
  EXPECT_EQ(ids_of(model, "turn"), (Ids{1}));
  EXPECT_EQ(ids_of(model, "turns"), (Ids{0}));
  EXPECT_EQ(places_of(model, "中文"), (Places{{0, 6}}));
  EXPECT_EQ(places_of(model, "中"), (Places{{0, 3}}));
}

TEST(WordLevel, TheIdOfUnknownWordsIsChecked) {
  const SmallVocabulary pieces({"<unk>", "turn"}, 0);
  EXPECT_EQ(WordLevel::problem(pieces.view(), 1), nullptr);
  for (const std::int32_t id : {-1, 2}) expect_text(WordLevel::problem(pieces.view(), id), "unknown token");
}

}  // namespace
}  // namespace potstill::tokenizer
