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
    uint64_t sum = 0;
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
  fb::InputQuant wants(std::size_t input) const override { return input == 0 ? quant : fb::InputQuant::None; }
  bool gives_symmetric() const override { return gives; }
  uint64_t scratch_bytes(const ops::Sizes&) const override { return bytes_; }
  fb::InputQuant quant = fb::InputQuant::None;
  bool gives = false;
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

// Value 0 is read quantized by ops 1 and 3, value 1 by op 2; `gives`: op 0 can quantize what it makes.
Plan plan_of_forms(bool gives, fb::InputQuant quant) {
  const std::vector<ops::Shape> values(5, {fb::Rows::Tokens, 40});
  std::vector<std::unique_ptr<ops::Op>> ops;
  const auto add = [&](std::vector<uint32_t> in, uint32_t out) {
    auto op = std::make_unique<FakeOp>(std::move(in), out, -1);
    op->quant = quant;
    op->gives = gives && out == 0;
    ops.push_back(std::move(op));
  };
  add({}, 0);
  add({0}, 1);
  add({1}, 2);
  add({0, 2}, 3);  // 2 is a residual: not quantized
  add({3}, 4);
  const int kept[] = {4};
  return plan(values, ops, kept, {10, 10, 10, 1});
}

TEST(Plan, AFormIsMadeByItsProducerOrItsFirstReaderAndShared) {
  for (const auto quant : {fb::InputQuant::Symmetric, fb::InputQuant::Asymmetric}) {
    for (const bool gives : {false, true}) {
      const Plan result = plan_of_forms(gives, quant);
      ASSERT_EQ(result.forms.size(), 10u);
      const auto form = [&](std::size_t value) { return result.forms[ops::form_index(value, quant)]; };
      EXPECT_TRUE(form(0).used && form(1).used && form(3).used);
      EXPECT_FALSE(form(2).used || form(4).used);
      EXPECT_EQ(form(0).maker, gives && quant == fb::InputQuant::Symmetric ? 0u : 1u);
      EXPECT_EQ(form(1).maker, 2u);
      const auto other = quant == fb::InputQuant::Symmetric ? fb::InputQuant::Asymmetric : fb::InputQuant::Symmetric;
      for (std::size_t v = 0; v < 5; ++v) EXPECT_FALSE(result.forms[ops::form_index(v, other)].used);
    }
  }
}

TEST(Plan, AFormKeepsItsMemoryUntilItsLastReader) {
  const Plan result = plan_of_forms(true, fb::InputQuant::Symmetric);
  const std::size_t bytes = ops::Quantized::bytes(10, 40), f32 = 10 * 40 * 4;
  EXPECT_EQ(bytes, 2 * 64 + 10 * 64u);
  const std::size_t at = result.forms[ops::form_index(0, fb::InputQuant::Symmetric)].offset;
  for (const std::size_t value : {0, 1, 2, 3}) {  // all alive while the form is
    EXPECT_TRUE(result.values[value] >= at + bytes || result.values[value] + f32 <= at) << value;
  }
  const std::size_t second = result.forms[ops::form_index(1, fb::InputQuant::Symmetric)].offset;
  EXPECT_TRUE(second >= at + bytes || second + bytes <= at);
  EXPECT_LE(at + bytes, result.bytes);
}

}  // namespace
}  // namespace potstill::graph
