// Expected ids and places are those of Hugging Face tokenizers 0.23 over the same small vocabulary.
#include "tokenizer/models/bpe.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "small_models.h"

namespace potstill::tokenizer {
namespace {

using namespace testing;

//   0 <unk>  1 a  2 b  3 c  4 ab  5 bc  6 abc  7 aa  8 aaaa  9 é  10 abab
SmallBpe letters() {
  return {{"<unk>", "a", "b", "c", "ab", "bc", "abc", "aa", "aaaa", "é", "abab"},
          {{"b", "c"}, {"a", "a"}, {"a", "b"}, {"ab", "ab"}, {"a", "bc"}, {"aa", "aa"}}};
}

TEST(Bpe, TheBestMergeFirstThenTheLeftmost) {
  const SmallBpe tables = letters();
  const Bpe bpe = tables.model();
  EXPECT_EQ(ids_of(bpe, "abc"), (Ids{6}));  // b and c before a and b
  EXPECT_EQ(ids_of(bpe, "abab"), (Ids{10}));
  EXPECT_EQ(ids_of(bpe, "aab"), (Ids{7, 2}));
  EXPECT_EQ(ids_of(bpe, "aaaaaaa"), (Ids{8, 7, 1}));
  EXPECT_EQ(places_of(bpe, "aaaaaaaé"), (Places{{0, 4}, {4, 6}, {6, 7}, {7, 9}}));
}

// Joins the best pair again and again.
Ids by_definition(const SmallBpe& tables, std::string_view word) {
  const Merges merges = tables.merges();
  Ids ids;
  for (const char letter : word) ids.push_back(tables.pieces.view().find({&letter, 1}));
  while (true) {
    std::uint32_t row = Merges::kNone;
    std::size_t at = 0;
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
      if (const std::uint32_t found = merges.find(ids[i], ids[i + 1]); found < row) {
        row = found;
        at = i;
      }
    }
    if (row == Merges::kNone) return ids;
    ids[at] = merges.made(row);
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
}

TEST(Bpe, WordsOfEveryLengthAreJoinedByOneRule) {
  const SmallBpe tables = letters();
  const Bpe bpe = tables.model();
  Random random;
  for (std::size_t size = 1; size < 120; ++size) {
    std::string word;
    for (std::size_t i = 0; i < size; ++i) word += "aaabc"[random.below(5)];
    EXPECT_EQ(ids_of(bpe, word), by_definition(tables, word)) << word;
  }
}

TEST(Bpe, UnknownCharacters) {
  const SmallBpe tables = letters();
  const Bpe none = tables.model();
  EXPECT_EQ(ids_of(none, "中"), Ids{});
  EXPECT_EQ(ids_of(none, "a中b"), (Ids{4}));  // left out: what stood beside it is joined
  EXPECT_EQ(places_of(none, "中c"), (Places{{0, 1}}));
  const Bpe each = tables.model({.unk_id = 0});
  EXPECT_EQ(ids_of(each, "a中文b"), (Ids{1, 0, 0, 2}));
  const Bpe fused = tables.model({.unk_id = 0, .fuse_unk = true});
  EXPECT_EQ(ids_of(fused, "a中文b"), (Ids{1, 0, 2}));
  EXPECT_EQ(places_of(fused, "a中文b"), (Places{{0, 1}, {1, 7}, {7, 8}}));
}

TEST(Bpe, BytesOfUnknownCharacters) {
  const SmallBpe tables({"a", "<unk>", "<0xC3>", "<0xA9>", "b"}, {});
  const Bpe bpe = tables.model({.unk_id = 1, .byte_fallback = true});
  EXPECT_EQ(ids_of(bpe, "aé"), (Ids{0, 2, 3}));
  EXPECT_EQ(places_of(bpe, "aé"), (Places{{0, 1}, {1, 2}, {2, 3}}));
  EXPECT_EQ(ids_of(bpe, "a中éb"), (Ids{0, 2, 3, 1, 4}));  // the unknown token waits
  EXPECT_EQ(places_of(bpe, "a中éb"), (Places{{0, 1}, {1, 2}, {2, 3}, {3, 6}, {6, 7}}));
}

TEST(Bpe, MarksAndWholeWords) {
  const SmallBpe marked({"<unk>", "a", "b</w>", "##b", "##c</w>", "##b##c</w>", "ab", "a</w>"}, {{"##b", "##c</w>"}});
  const Bpe bpe = marked.model({.unk_id = 0, .continuing_prefix = "##", .end_of_word_suffix = "</w>"});
  EXPECT_EQ(ids_of(bpe, "abc"), (Ids{1, 5}));
  EXPECT_EQ(ids_of(bpe, "a"), (Ids{7}));
  EXPECT_EQ(ids_of(bpe, "ab"), (Ids{1, 0}));
  const Bpe whole = marked.model({.unk_id = 0, .ignore_merges = true, .continuing_prefix = "##"});
  EXPECT_EQ(ids_of(whole, "ab"), (Ids{6}));
}

TEST(Bpe, UnsoundTablesAreRefused) {
  const SmallBpe tables = letters();
  for (const std::int32_t id : {-2, 11, INT32_MAX}) expect_text(tables.problem({.unk_id = id}), "unknown token");
  const std::string longer(Bpe::kMaxAffixBytes + 1, '#');
  expect_text(tables.problem({.continuing_prefix = longer}), "64 bytes");
  expect_text(tables.problem({.end_of_word_suffix = longer}), "64 bytes");
  for (const std::int32_t id : {-1, 11}) {
    SmallBpe changed = letters();
    changed.rows[5] = id;
    expect_text(changed.problem(), "a merge names");
  }
  SmallBpe odd = letters();
  odd.rows.pop_back();
  expect_text(odd.problem(), "rows of three");
  SmallBpe none = letters();
  none.rows.clear();
  expect_text(none.problem(), "a hash slot names");
  SmallBpe row = letters();
  row.slots[0] = 6;
  expect_text(row.problem(), "a hash slot names");
  SmallBpe full = letters();
  for (std::int32_t& slot : full.slots) slot = 0;
  expect_text(full.problem(), "no empty slot");
}

// Also of tables that change after the check: ids stay in the vocabulary, and everything ends.
TEST(Bpe, DamagedTablesNeverGiveIdsOutsideTheVocabulary) {
  Random random;
  for (int round = 0; round < 1000; ++round) {
    SmallBpe tables = letters();
    const Bpe bpe = tables.model({.unk_id = 0});
    for (std::uint32_t i = random.below(6); i-- > 0;) {
      std::vector<std::int32_t>& table = random.below(2) == 0 ? tables.rows : tables.slots;
      std::int32_t& value = table[random.below(table.size())];
      value = random.below(2) == 0 ? static_cast<std::int32_t>(random.below(16)) - 3 : value ^ (1 << random.below(31));
    }
    for (const std::size_t size : {20u, 200u}) {
      std::string word;
      for (std::size_t i = 0; i < size; ++i) word += "aabc"[random.below(4)];
      for (const Token& token : tokens_of(bpe, word)) {
        ASSERT_TRUE(tables.pieces.view().has(token.id));
        ASSERT_LE(token.begin, token.end);
        ASSERT_LE(token.end, size);
      }
    }
  }
}

// Sixteen times the word: 16 times the time and a little, not 256 times.
TEST(Bpe, LongWordsTakeLinearTime) {
  const SmallBpe tables = letters();
  const Bpe bpe = tables.model({.unk_id = 0});
  for (const std::string_view part : {"a", "abc", "ab", "中", "aaab"}) {
    std::string word;
    while (word.size() < 4'000) word += part;
    std::string longer;
    for (int i = 0; i < 16; ++i) longer += word;
    EXPECT_LT(seconds(bpe, longer), 64 * seconds(bpe, word) + 0.005) << part;
  }
}

}  // namespace
}  // namespace potstill::tokenizer
