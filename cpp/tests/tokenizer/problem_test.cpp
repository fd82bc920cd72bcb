#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "small_vocabulary.h"
#include "tokenizer/wordpiece.h"

namespace potstill::tokenizer {
namespace {

using testing::SmallVocabulary;

SmallVocabulary sound() { return SmallVocabulary::bert({"a", "##a", "b", "中"}); }

void expect_problem(const WordPieceView& view, const std::string& part) {
  const char* text = problem(view);
  ASSERT_NE(text, nullptr) << part;
  EXPECT_NE(std::string(text).find(part), std::string::npos) << text;
}

TEST(Problem, SoundTablesPass) { EXPECT_EQ(problem(sound().view()), nullptr); }

TEST(Problem, EmptyPiecesAreAllowed) {
  SmallVocabulary v = sound();
  v.offsets.push_back(v.offsets.back());
  EXPECT_EQ(problem(v.view()), nullptr);
}

TEST(Problem, Offsets) {
  SmallVocabulary v = sound();
  v.offsets = {};
  expect_problem(v.view(), "vocabulary is empty");
  v.offsets = {0};
  expect_problem(v.view(), "vocabulary is empty");
  v = sound();
  v.offsets[0] = 1;
  expect_problem(v.view(), "offset 0");
  v = sound();
  v.offsets[3] = v.offsets[2] - 1;
  expect_problem(v.view(), "ascending");
  v = sound();
  v.offsets[3] = -5;
  expect_problem(v.view(), "ascending");
  v = sound();
  v.offsets[3] = 1 << 30;
  expect_problem(v.view(), "ascending");
  v = sound();
  v.offsets.back() += 1;
  expect_problem(v.view(), "do not end");
  v = sound();
  v.blob += "x";
  expect_problem(v.view(), "do not end");
}

TEST(Problem, Slots) {
  SmallVocabulary v = sound();
  v.slots = {};
  expect_problem(v.view(), "power of two");
  v = sound();
  v.slots.push_back(-1);
  expect_problem(v.view(), "power of two");
  for (const std::int32_t wrong : {9, -2, INT32_MAX, INT32_MIN}) {
    v = sound();
    v.slots[0] = wrong;
    expect_problem(v.view(), "does not exist");
  }
  v = sound();
  for (std::int32_t& slot : v.slots) slot = 0;
  expect_problem(v.view(), "no empty slot");
}

TEST(Problem, ProbeRunsAreBoundedAlsoAcrossTheEnd) {
  SmallVocabulary v = sound();
  v.slots.assign(1024, -1);
  for (std::size_t i = 0; i < kMaxProbeRun; ++i) v.slots[(900 + i) % 1024] = 0;
  EXPECT_EQ(problem(v.view()), nullptr);
  v.slots[(900 + kMaxProbeRun) % 1024] = 0;
  expect_problem(v.view(), "crowded");
}

TEST(Problem, Ids) {
  const SmallVocabulary v = sound();
  for (std::uint32_t WordPieceView::* id :
       {&WordPieceView::unk_id, &WordPieceView::cls_id, &WordPieceView::sep_id, &WordPieceView::pad_id}) {
    WordPieceView view = v.view();
    view.*id = 8;
    EXPECT_EQ(problem(view), nullptr);
    view.*id = 9;
    expect_problem(view, "special token");
    view.*id = UINT32_MAX;
    expect_problem(view, "special token");
  }
}

TEST(Problem, Limits) {
  const SmallVocabulary v = sound();
  WordPieceView view = v.view();
  view.max_chars_per_word = 0;
  expect_problem(view, "1..1000");
  view.max_chars_per_word = kMaxCharsPerWord + 1;
  expect_problem(view, "1..1000");
  const std::string prefix(kMaxPrefixBytes + 1, '#');
  view = v.view();
  view.continuing_prefix = prefix;
  expect_problem(view, "prefix");
}

TEST(Problem, AddedTokens) {
  SmallVocabulary v = sound();
  v.added_ids = {9};
  expect_problem(v.view(), "outside the vocabulary");
  v = sound();
  v.added_ids.assign(kMaxAddedTokens + 1, 4);
  expect_problem(v.view(), "256 added");
  v = sound();
  v.offsets.push_back(v.offsets.back());
  v.added_ids = {9};
  expect_problem(v.view(), "is empty");
  v = sound();
  v.blob.back() = '\xff';
  v.added_ids = {8};
  expect_problem(v.view(), "UTF-8");
}

// Tables that pass the checks may be nonsense, but encoding with them stays inside them and ends.
TEST(Problem, DamagedTablesNeverGiveIdsOutsideTheVocabulary) {
  std::uint32_t state = 7;
  const auto random = [&](std::uint32_t below) {
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % below;
  };
  int passed = 0;
  for (int round = 0; round < 4000; ++round) {
    SmallVocabulary v = sound();
    const std::uint32_t damages = 1 + random(3);
    for (std::uint32_t i = 0; i < damages; ++i) {
      const auto small = static_cast<std::int32_t>(random(40)) - 4;
      switch (random(4)) {
        case 0:
          v.offsets[random(static_cast<std::uint32_t>(v.offsets.size()))] = small;
          break;
        case 1:
          v.slots[random(static_cast<std::uint32_t>(v.slots.size()))] = small;
          break;
        case 2:
          v.blob[random(static_cast<std::uint32_t>(v.blob.size()))] = static_cast<char>(random(256));
          break;
        default:
          v.added_ids[random(5)] = random(12);
          break;
      }
    }
    if (problem(v.view()) != nullptr) continue;
    ++passed;
    for (const std::int32_t id : WordPieceTokenizer(v.view()).encode("aab[MASK]ba 中中 \xe4\xb8 [CLS")) {
      ASSERT_GE(id, 0);
      ASSERT_LT(id, 9);
    }
  }
  EXPECT_GT(passed, 400);
}

}  // namespace
}  // namespace potstill::tokenizer
