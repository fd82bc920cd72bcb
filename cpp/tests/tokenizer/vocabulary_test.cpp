#include "tokenizer/vocabulary.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "small_vocabulary.h"

namespace potstill::tokenizer {
namespace {

using namespace testing;

TEST(Vocabulary, SoundTablesPass) { EXPECT_EQ(sound().problem(), nullptr); }

TEST(Vocabulary, EmptyPiecesAreAllowed) {
  SmallVocabulary v = sound();
  v.offsets.push_back(v.offsets.back());
  EXPECT_EQ(v.problem(), nullptr);
}

TEST(Vocabulary, Offsets) {
  SmallVocabulary v = sound();
  v.offsets = {};
  v.expect_problem("vocabulary is empty");
  v.offsets = {0};
  v.expect_problem("vocabulary is empty");
  v = sound();
  v.offsets[0] = 1;
  v.expect_problem("offset 0");
  v = sound();
  v.offsets[3] = v.offsets[2] - 1;
  v.expect_problem("ascending");
  v = sound();
  v.offsets[3] = -5;
  v.expect_problem("ascending");
  v = sound();
  v.offsets[3] = 1 << 30;
  v.expect_problem("ascending");
  v = sound();
  v.offsets.back() += 1;
  v.expect_problem("do not end");
  v = sound();
  v.blob += "x";
  v.expect_problem("do not end");
}

TEST(Vocabulary, Slots) {
  SmallVocabulary v = sound();
  v.slots = {};
  v.expect_problem("power of two");
  v = sound();
  v.slots.push_back(-1);
  v.expect_problem("power of two");
  for (const std::int32_t wrong : {9, -2, INT32_MAX, INT32_MIN}) {
    v = sound();
    v.slots[0] = wrong;
    v.expect_problem("does not exist");
  }
  v = sound();
  for (std::int32_t& slot : v.slots) slot = 0;
  v.expect_problem("no empty slot");
}

TEST(Vocabulary, ProbeRunsAreBoundedAlsoAcrossTheEnd) {
  SmallVocabulary v = sound();
  v.slots.assign(1024, -1);
  for (std::size_t i = 0; i < kMaxProbeRun; ++i) v.slots[(900 + i) % 1024] = 0;
  EXPECT_EQ(v.problem(), nullptr);
  v.slots[(900 + kMaxProbeRun) % 1024] = 0;
  v.expect_problem("crowded");
}

TEST(Vocabulary, FindsItsPiecesAndNothingElse) {
  const SmallVocabulary v = words();
  for (std::size_t id = 0; id < v.view().size(); ++id) {
    EXPECT_EQ(v.view().find(v.view().piece(id)), static_cast<std::int32_t>(id));
  }
  for (const char* other : {"", "tur", "turns", "##", "c"}) EXPECT_EQ(v.view().find(other), -1) << other;
}

}  // namespace
}  // namespace potstill::tokenizer
