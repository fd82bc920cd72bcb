// A profile accounts for all of a forward, and only for it.
#include "potstill/profile.hpp"

#include <gtest/gtest.h>

#include <set>

#include "graph/profile.h"
#include "graph/session.h"
#include "potstill/model.hpp"
#include "support/pools.h"
#include "support/tiny_bert.h"

namespace potstill {
namespace {

const testing::TinyShape kShape{.inner = 40, .layers = 2, .quantized = true};

TEST(Profile, HasEveryOpWithItsWork) {
  const Model model = Model::from_memory(testing::TinyBert(kShape).file(), 2);
  const std::vector<std::vector<int32_t>> batch{{1, 2, 3, 4, 5}, {6, 7, 8}};
  const Profile profile = model.profile(batch, 5);
  EXPECT_EQ(profile.threads, 1);  // far too little work for two
  EXPECT_EQ(profile.run_begin.size(), 5u);
  EXPECT_EQ(profile.run_begin.front(), 0);
  EXPECT_GT(profile.peak_int8, 0);
  EXPECT_GT(profile.peak_f32, 0);
  uint64_t linear = 0, attention = 0;
  std::set<std::string> kinds;
  for (const ProfileOp& op : profile.ops) {
    EXPECT_FALSE(op.name.empty());
    kinds.insert(op.kind);
    (op.kind == "Attention" ? attention : linear) += op.macs;
    EXPECT_GT(op.bytes, 0u) << op.name;
    EXPECT_LE(op.busy, op.wall) << op.name;
  }
  EXPECT_EQ(kinds, (std::set<std::string>{"Attention", "Embedding", "LayerNorm", "Linear", "Pool"}));
  const uint64_t h = kShape.hidden, inner = kShape.inner;
  EXPECT_EQ(linear, 2 * 8 * (4 * h * h + 2 * h * inner) + 2 * h * kShape.labels);
  EXPECT_EQ(attention, 2 * 2 * (25 + 9) * h);
}

TEST(Profile, SlicesLieInsideTheirRunAndDontOverlap) {
  const Model model = Model::from_memory(testing::TinyBert(kShape).file(), 1);
  const std::vector<std::vector<int32_t>> batch{{1, 2, 3}};
  const Profile profile = model.profile(batch, 3);
  ASSERT_EQ(profile.slices.size() % 3, 0u);
  int64_t last = 0;
  std::size_t run = 0;
  for (const ProfileSlice& slice : profile.slices) {
    EXPECT_GE(slice.begin, last);
    EXPECT_LE(slice.begin + slice.busy, slice.end);
    last = slice.end;
    while (slice.begin >= profile.run_end[run]) ++run;
    EXPECT_GE(slice.begin, profile.run_begin[run]);
    EXPECT_LE(slice.end, profile.run_end[run]);
  }
  EXPECT_EQ(run, 2u);
}

// Layer norm writes the int8 rows of the products behind it: only the others have a phase of their own for that.
TEST(Profile, ShowsThatProductsBehindLayerNormsDontQuantize) {
  const Model model = Model::from_memory(testing::TinyBert(kShape).file(), 1);
  const std::vector<std::vector<int32_t>> batch{{1, 2, 3}};
  const Profile profile = model.profile(batch, 1);
  std::vector<int> phases(profile.ops.size(), 0);
  for (const ProfileSlice& slice : profile.slices) ++phases[slice.op];
  std::vector<int> linear;
  for (std::size_t i = 0; i < phases.size(); ++i) {
    if (profile.ops[i].kind == "Linear") linear.push_back(phases[i]);
  }
  // qkv, out, up, down of each layer, then the head on pooled rows
  EXPECT_EQ(linear, (std::vector<int>{1, 2, 1, 2, 1, 2, 1, 2, 2}));
}

TEST(Profile, RefusesWhatItCannotMeasure) {
  const Model model = Model::from_memory(testing::TinyBert(kShape).file(), 1);
  const auto code = [&](const std::vector<std::vector<int32_t>>& batch, int runs) -> std::string {
    try {
      model.profile(batch, runs);
      return "";
    } catch (const Error& error) {
      return error.code;
    }
  };
  EXPECT_EQ(code({{1, 2}}, 1), "");
  EXPECT_EQ(code({}, 1), "I021");
  EXPECT_EQ(code({{1, 2}}, 0), "I021");
  EXPECT_EQ(code(std::vector<std::vector<int32_t>>(100, {1, 2, 3}), 1), "I021");
  EXPECT_EQ(code({{}}, 1), "I001");
  EXPECT_EQ(code({{1000}}, 1), "I003");
}

// Every task is counted once, on whichever thread it ran.
TEST(Recorder, CountsTheTasksOfAllThreads) {
  const testing::Bytes file = testing::TinyBert(kShape).file();
  const auto graph = graph::build(format::read(format::Mapping::copy(file), "memory"), 3, 0);
  const std::vector<int32_t> ids{1, 2, 3, 4, 5, 6, 7};
  const std::vector<std::size_t> offsets{0, ids.size()};
  for (parallel::Pool* pool : testing::all_pools()) {
    graph::Session session(*graph, *pool);
    graph::Recorder recorder(3, graph->ops.size() * parallel::kPhasesAnOp);
    session.run({ids, offsets}, nullptr, nullptr, &recorder);
    EXPECT_EQ(recorder.threads, 3);
    std::size_t attention = 0;
    for (const auto& track : recorder.tracks) {
      for (const auto& slice : track.slices) {
        if (std::string(graph->ops[slice.op]->kind()) == "Attention") attention += slice.tasks;
      }
    }
    EXPECT_EQ(attention, kShape.layers * kShape.heads) << pool->name();
  }
}

}  // namespace
}  // namespace potstill
