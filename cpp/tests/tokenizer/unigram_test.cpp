// Expected ids and places are those of Hugging Face tokenizers 0.23 over the same small vocabulary.
#include "tokenizer/models/unigram.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>

#include "small_models.h"

namespace potstill::tokenizer {
namespace {

using namespace testing;

//   0 <unk>  1 a  2 b  3 ab  4 abb  5 中文  6 中  7 <0xC3>  8 <0xA9>
SmallUnigram letters() {
  return {{"<unk>", "a", "b", "ab", "abb", "中文", "中", "<0xC3>", "<0xA9>"}, {0, -2, -2, -3, -5, -3, -4, -9, -9}};
}

constexpr Unigram::Options kOptions{.unk_id = 0, .unk_score = -19};

TEST(Unigram, TheBestSumWins) {
  const SmallUnigram tables = letters();
  const Unigram model = tables.model(kOptions);
  EXPECT_EQ(ids_of(model, "ab"), (Ids{3}));
  EXPECT_EQ(ids_of(model, "aab"), (Ids{1, 3}));
  EXPECT_EQ(ids_of(model, "中文"), (Ids{5}));
  EXPECT_EQ(places_of(model, "b中文a"), (Places{{0, 1}, {1, 7}, {7, 8}}));
}

TEST(Unigram, OfEqualSumsThatWithTheLongestLastPiece) {
  const SmallUnigram tables = letters();
  EXPECT_EQ(ids_of(tables.model(kOptions), "abb"), (Ids{4}));  // -5, as ab and b
  SmallUnigram equal({"<unk>", "a", "aa", "aaa"}, {0, -1, -1, -1});
  EXPECT_EQ(ids_of(equal.model(kOptions), "aaaa"), (Ids{1, 3}));  // not aaa and a
}

TEST(Unigram, UnknownCharactersSideBySideAreOne) {
  const SmallUnigram tables = letters();
  const Unigram model = tables.model(kOptions);
  EXPECT_EQ(ids_of(model, "axéb"), (Ids{1, 0, 2}));
  EXPECT_EQ(places_of(model, "axéb"), (Places{{0, 1}, {1, 4}, {4, 5}}));
  EXPECT_EQ(ids_of(model, "文"), (Ids{0}));
  EXPECT_EQ(ids_of(model, "a<unk>x"), (Ids{1, 0}));  // its own text is as unknown as any
}

TEST(Unigram, JoinedUnknownsMayBeAPiece) {
  const SmallUnigram tables({"<unk>", "xx"}, {100, 30});
  EXPECT_EQ(ids_of(tables.model({.unk_id = 0, .unk_score = 20}), "xx"), (Ids{1}));
  EXPECT_EQ(ids_of(tables.model({.unk_id = 0, .unk_score = 20}), "xxx"), (Ids{0}));
}

TEST(Unigram, BytesOfUnknownCharacters) {
  const SmallUnigram tables = letters();
  const Unigram model = tables.model({.unk_id = 0, .unk_score = -19, .byte_fallback = true});
  EXPECT_EQ(ids_of(model, "aéb"), (Ids{1, 7, 8, 2}));
  EXPECT_EQ(places_of(model, "aéb"), (Places{{0, 1}, {1, 3}, {1, 3}, {3, 4}}));
  EXPECT_EQ(ids_of(model, "éé"), (Ids{7, 8, 7, 8}));
  EXPECT_EQ(ids_of(model, "éx"), (Ids{0}));  // not a byte where one lacks its piece
}

TEST(Unigram, WideScoresTellWhatF32DoesNot) {
  SmallUnigram tables({"<unk>", "a", "aa"}, {});
  const double scores[] = {0, -1, std::nextafter(-2.0, -3.0)};
  tables.wide.resize(sizeof scores);
  std::memcpy(tables.wide.data(), scores, sizeof scores);
  EXPECT_EQ(ids_of(tables.model(kOptions), "aa"), (Ids{1, 1}));
}

TEST(Unigram, UnsoundTablesAreRefused) {
  const SmallUnigram tables = letters();
  for (const std::int32_t id : {-1, 9}) expect_text(tables.problem({.unk_id = id}), "unknown token");
  expect_text(tables.problem({.unk_score = std::numeric_limits<double>::quiet_NaN()}), "not finite");
  SmallUnigram none = letters();
  none.scores.clear();
  expect_text(none.problem(), "one a piece");
  SmallUnigram many = letters();
  many.scores.push_back(0);
  expect_text(many.problem(), "one a piece");
  none.wide.resize(9);
  expect_text(none.problem(), "one a piece");
  SmallUnigram empty = letters();
  empty.trie.clear();
  expect_text(empty.problem(), "trie is empty");
  for (const std::int32_t unit : {9 << 10 | 0xFF, 9 << 10 | 1 << 8 | 'a'}) {
    SmallUnigram changed = letters();
    changed.trie.back() = unit;
    expect_text(changed.problem(), "the trie names");
  }
}

// Also of tables that change after the check: ids stay in the vocabulary, and everything ends.
TEST(Unigram, DamagedTablesNeverGiveIdsOutsideTheVocabulary) {
  Random random;
  std::vector<std::size_t> used;
  const SmallUnigram sound = letters();
  for (std::size_t i = 0; i < sound.trie.size(); ++i) {
    if (sound.trie[i] != 0xFE) used.push_back(i);
  }
  for (int round = 0; round < 1000; ++round) {
    SmallUnigram tables = letters();
    const Unigram model = tables.model(kOptions);
    for (std::uint32_t i = 1 + random.below(5); i-- > 0;) {
      tables.trie[used[random.below(used.size())]] ^= 1 << random.below(31);
      tables.scores[random.below(9)] = random.below(2) == 0 ? std::numeric_limits<float>::quiet_NaN() : 1e30F;
    }
    for (const std::string_view word :
         {"abbaab中文é", "<0xC3>中中abbabbabb文<0xA9>abbaab中文é<unk>中文abbaab中文é中文x"}) {
      for (const Token& token : tokens_of(model, word)) {
        ASSERT_TRUE(tables.pieces.view().has(token.id));
        ASSERT_LT(token.begin, token.end);
        ASSERT_LE(token.end, word.size());
      }
    }
  }
}

// Sixteen times the word: 16 times the time, not 256 times; also where the trie leads from a place to itself.
TEST(Unigram, LongWordsTakeLinearTime) {
  SmallUnigram tables = letters();
  for (const bool circle : {false, true}) {
    if (circle) tables.trie[1 + 'a'] = static_cast<std::int32_t>(1u << 10 | 'a');
    const Unigram model = tables.model(kOptions);
    for (const std::string_view part : {"a", "ab", "中", "x", "é"}) {
      std::string word;
      while (word.size() < 2'000) word += part;
      std::string longer;
      for (int i = 0; i < 16; ++i) longer += word;
      EXPECT_LT(seconds(model, longer), 64 * seconds(model, word) + 0.005) << part;
    }
  }
}

}  // namespace
}  // namespace potstill::tokenizer
