// A forward by a team: the same bits with every pool, helpers or none; no allocation once warm.
#include "graph/session.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <random>
#include <thread>

#include "format/reader.h"
#include "support/allocations.h"
#include "support/emulated.h"
#include "support/pools.h"
#include "support/tiny_bert.h"

namespace potstill::graph {
namespace {

using testing::TinyShape;

struct Batch {
  std::vector<int32_t> ids;
  std::vector<std::size_t> offsets{0};
  std::size_t sequences() const { return offsets.size() - 1; }
};

Batch random_batch(uint64_t seed, std::size_t sequences, const TinyShape& shape) {
  std::mt19937_64 engine(seed);
  Batch batch;
  for (std::size_t s = 0; s < sequences; ++s) {
    const std::size_t tokens = static_cast<std::size_t>(1 + engine() % shape.max_tokens);
    for (std::size_t i = 0; i < tokens; ++i) batch.ids.push_back(static_cast<int32_t>(engine() % shape.vocabulary));
    batch.offsets.push_back(batch.ids.size());
  }
  return batch;
}

// `work_a_thread` 0: however small the model is, all threads take part.
std::unique_ptr<const Graph> graph_of(const TinyShape& shape, int threads) {
  const testing::Bytes file = testing::TinyBert(shape).file();
  return build(format::read(format::Mapping::copy(file), "memory"), threads, 0);
}

std::vector<float> logits_of(Session& session, const Graph& graph, const Batch& batch) {
  std::vector<float> logits(batch.sequences() * graph.width(graph.logits));
  session.run({batch.ids, batch.offsets}, logits.data(), nullptr);
  return logits;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

const std::vector<TinyShape>& shapes() {
  static const std::vector<TinyShape> all{
      TinyShape{},
      TinyShape{.quantized = true, .seed = 3},
      TinyShape{.quantized = true, .cls = true, .seed = 4},
      TinyShape{.hidden = 192, .heads = 4, .inner = 640, .layers = 1, .max_tokens = 150, .quantized = true, .seed = 7},
  };
  return all;
}

class Sessions : public ::testing::TestWithParam<parallel::Pool*> {};

TEST_P(Sessions, GiveTheBitsOfOneThread) {
  for (const TinyShape& shape : shapes()) {
    // Several chunks. Under an emulator 60 sequences take 75 s of one core, so fewer there, once each.
    const bool slow = testing::emulated();
    const Batch batch = random_batch(3, slow ? 20 : 60, shape);
    const auto one = graph_of(shape, 1);
    Session alone(*one);
    const std::vector<float> wanted = logits_of(alone, *one, batch);
    for (const int threads : slow ? std::vector<int>{3} : std::vector<int>{2, 3, 5}) {
      const auto graph = graph_of(shape, threads);
      Session session(*graph, *GetParam());
      for (int round = 0; round < (slow ? 1 : 3); ++round) {
        EXPECT_TRUE(same_bits(logits_of(session, *graph, batch), wanted)) << threads << " threads, seed " << shape.seed;
      }
    }
  }
}

TEST_P(Sessions, GiveTheSameBytesToConcurrentCallers) {
  const TinyShape shape = shapes()[3];
  const auto graph = graph_of(shape, 2);
  const Batch batch = random_batch(11, testing::emulated() ? 6 : 12, shape);
  Session first(*graph, *GetParam());
  const std::vector<float> wanted = logits_of(first, *graph, batch);
  std::atomic<int> different{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 3; ++i) {
    callers.emplace_back([&] {
      Session session(*graph, *GetParam());
      for (int round = 0; round < (testing::emulated() ? 2 : 10); ++round) {
        if (!same_bits(logits_of(session, *graph, batch), wanted)) ++different;
      }
    });
  }
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(different.load(), 0);
}

INSTANTIATE_TEST_SUITE_P(Pools, Sessions, ::testing::ValuesIn(testing::all_pools()),
                         [](const auto& each) { return std::string(each.param->name()); });

TEST(Session, AllocatesNothingOnceWarm) {
  for (const int threads : {1, 3}) {
    const TinyShape shape{.quantized = true};
    const auto graph = graph_of(shape, threads);
    Session session(*graph);
    const Batch batch = random_batch(5, 40, shape), small = random_batch(6, 1, shape);
    std::vector<float> logits(batch.sequences() * graph->width(graph->logits));
    session.run({batch.ids, batch.offsets}, logits.data(), nullptr);  // starts the helpers
    const std::size_t before = testing::allocations();
    for (int round = 0; round < 5; ++round) {
      session.run({batch.ids, batch.offsets}, logits.data(), nullptr);
      session.run({small.ids, small.offsets}, logits.data(), nullptr);
    }
    EXPECT_EQ(testing::allocations(), before) << threads << " threads";
  }
}

}  // namespace
}  // namespace potstill::graph
