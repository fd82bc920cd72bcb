// Expected ids are those of Hugging Face tokenizers 0.23 over the same small vocabulary.
#include "tokenizer/models/wordpiece.h"

#include <gtest/gtest.h>

#include <string>

#include "small_vocabulary.h"

namespace potstill::tokenizer {
namespace {

using namespace testing;

TEST(WordPiece, LongestMatchFirst) {
  const SmallVocabulary v = words();
  EXPECT_EQ(v.encode("turning lights!"), (Ids{5, 7, 6, 8, 11}));
  EXPECT_EQ(v.encode("ab aba abab"), (Ids{20, 20, 18, 20, 18, 19}));
}

TEST(WordPiece, OneUnmatchedPlaceMakesTheWholeWordUnknown) {
  const SmallVocabulary v = words();
  EXPECT_EQ(v.encode("turnx turn"), (Ids{kUnk, 5}));
  EXPECT_EQ(v.encode("##ing"), (Ids{kUnk, kUnk, kUnk}));
}

TEST(WordPiece, WordsOverTheLimitAreUnknown) {
  const SmallVocabulary v = words();
  EXPECT_EQ(v.encode(std::string(100, 'a')).size(), 100u);
  EXPECT_EQ(v.encode(std::string(101, 'a') + " b"), (Ids{kUnk, 17}));
  const Settings four{.model = {.unk_id = kUnk, .max_chars_per_word = 4}};
  EXPECT_EQ(v.encode("turn a\u00e9\u00e9\u00e9 light", four), (Ids{5, kUnk, kUnk}));
  // The limit counts characters, not bytes, and counts them after normalization.
  EXPECT_EQ(v.encode("中中中中中", four), (Ids{14, 14, 14, 14, 14}));
  EXPECT_EQ(v.encode("t\u0301u\u0301r\u0301n\u0301", four), (Ids{5}));
}

TEST(WordPiece, Limits) {
  const SmallVocabulary v = sound();
  const auto expect = [&](const char* part, const WordPiece::Options& options) {
    v.expect_problem(part, {.model = options});
  };
  expect("1..1000", {.unk_id = kUnk, .max_chars_per_word = 0});
  expect("1..1000", {.unk_id = kUnk, .max_chars_per_word = WordPiece::kMaxCharsPerWord + 1});
  const std::string prefix(WordPiece::kMaxPrefixBytes + 1, '#');
  expect("prefix", {.unk_id = kUnk, .continuing_prefix = prefix});
}

TEST(WordPiece, TheIdOfUnknownWordsIsChecked) {
  const SmallVocabulary v = sound();
  EXPECT_EQ(v.problem({.model = {.unk_id = 8}}), nullptr);
  for (const std::uint32_t id : {std::uint32_t{9}, UINT32_MAX}) {
    v.expect_problem("special token", {.model = {.unk_id = id}});
  }
}

}  // namespace
}  // namespace potstill::tokenizer
