#include "graph/plan.h"

#include <gtest/gtest.h>

#include <random>

#include "potstill/error.h"

namespace potstill::graph {
namespace {

bool clash(const Interval& a, std::size_t at, const Interval& b, std::size_t bt) {
  const bool in_time = a.first <= b.last && b.first <= a.last;
  const bool in_space = at < bt + b.bytes && bt < at + a.bytes;
  return in_time && in_space;
}

TEST(Place, NothingAliveTogetherOverlaps) {
  std::mt19937 engine(1);
  for (int round = 0; round < 200; ++round) {
    std::vector<Interval> buffers;
    std::size_t sum = 0;
    for (std::size_t i = 0; i < 1 + engine() % 40; ++i) {
      const std::size_t first = engine() % 30;
      buffers.push_back({engine() % 5000, first, first + engine() % 6});
      sum += (buffers.back().bytes + 63) / 64 * 64;
    }
    std::size_t total = 0;
    const auto offsets = place(buffers, 1 << 30, total);
    EXPECT_LE(total, sum);
    for (std::size_t i = 0; i < buffers.size(); ++i) {
      EXPECT_EQ(offsets[i] % 64, 0u);
      EXPECT_LE(offsets[i] + buffers[i].bytes, total);
      for (std::size_t j = 0; j < i; ++j) EXPECT_FALSE(clash(buffers[i], offsets[i], buffers[j], offsets[j]));
    }
  }
}

TEST(Place, ReusesMemoryOfDeadBuffers) {
  const Interval chain[] = {{640, 0, 1}, {640, 1, 2}, {640, 2, 3}, {640, 3, 4}};
  std::size_t total = 0;
  const auto offsets = place(chain, 1 << 30, total);
  EXPECT_EQ(total, 1280u);  // two alive at a time
  EXPECT_EQ(offsets[0], offsets[2]);
}

TEST(Place, RefusesTooLargeAnArena) {
  std::size_t total = 0;
  const Interval fits[] = {{64, 0, 0}, {64, 0, 0}}, over[] = {{64, 0, 0}, {65, 0, 0}}, huge[] = {{SIZE_MAX, 0, 0}};
  EXPECT_NO_THROW(place(fits, 128, total));
  for (const std::span<const Interval> buffers : {std::span<const Interval>(over), std::span<const Interval>(huge)}) {
    try {
      place(buffers, 128, total);
      ADD_FAILURE() << "it was placed";
    } catch (const Error& error) {
      EXPECT_EQ(error.code, "F045");
    }
  }
}

struct FakeOp : ops::Op {
  FakeOp(std::vector<uint32_t> in, uint32_t out, int alias, std::size_t bytes = 0) : alias_(alias), bytes_(bytes) {
    inputs = std::move(in);
    output = out;
  }
  void run(const ops::Run&) const override {}
  const char* kind() const override { return "Fake"; }
  ops::Cost cost(std::span<const uint32_t>) const override { return {}; }
  int in_place() const override { return alias_; }
  std::size_t scratch_bytes(const ops::Sizes&) const override { return bytes_; }
  int alias_;
  std::size_t bytes_;
};

TEST(Plan, InPlaceOpsShareOnlyWhatIsNotNeededAgain) {
  const std::vector<ops::Shape> values(5, {fb::Rows::Tokens, 16});
  std::vector<std::unique_ptr<ops::Op>> ops;
  ops.push_back(std::make_unique<FakeOp>(std::vector<uint32_t>{}, 0, -1));
  ops.push_back(std::make_unique<FakeOp>(std::vector<uint32_t>{0}, 1, 0));        // 0 is read again: no
  ops.push_back(std::make_unique<FakeOp>(std::vector<uint32_t>{1, 0}, 2, 1));     // takes over 0
  ops.push_back(std::make_unique<FakeOp>(std::vector<uint32_t>{2, 2}, 3, 1));     // also its x: no
  ops.push_back(std::make_unique<FakeOp>(std::vector<uint32_t>{3}, 4, 0, 4096));  // takes over 3
  const int kept[] = {4, -1};
  const Plan result = plan(values, ops, kept, {10, 10, 10, 1});
  EXPECT_NE(result.values[0], result.values[1]);
  EXPECT_EQ(result.values[0], result.values[2]);
  EXPECT_NE(result.values[2], result.values[3]);
  EXPECT_EQ(result.values[3], result.values[4]);
  EXPECT_GE(result.bytes, 4096u + 640);
  EXPECT_TRUE(result.scratch[4] >= result.values[4] + 640 || result.scratch[4] + 4096 <= result.values[4]);
}

TEST(Plan, KeptValuesSurviveToTheEnd) {
  const std::vector<ops::Shape> values{{fb::Rows::Sequences, 16}, {fb::Rows::Sequences, 16}, {fb::Rows::Sequences, 16}};
  std::vector<std::unique_ptr<ops::Op>> ops;
  ops.push_back(std::make_unique<FakeOp>(std::vector<uint32_t>{}, 0, -1));
  ops.push_back(std::make_unique<FakeOp>(std::vector<uint32_t>{0}, 1, 0));
  ops.push_back(std::make_unique<FakeOp>(std::vector<uint32_t>{1}, 2, 0));
  const int kept[] = {0, 2};
  const Plan result = plan(values, ops, kept, {10, 4, 10, 1});
  EXPECT_NE(result.values[0], result.values[1]);  // an embedding is not overwritten by what is made from it
  EXPECT_NE(result.values[0], result.values[2]);
  EXPECT_EQ(result.values[1], result.values[2]);
  EXPECT_EQ(result.bytes, 2u * 4 * 16 * 4);
}

}  // namespace
}  // namespace potstill::graph
