// Phases end with their tasks, whichever threads come, early, late or never.
#include "parallel/team.h"

#include <gtest/gtest.h>

#include <numeric>
#include <thread>
#include <vector>

#include "parallel/pool.h"
#include "support/pools.h"

namespace potstill::parallel {
namespace {

constexpr std::size_t kOps = 40;

// A chain in which every phase needs all of the one before: what is left out or done twice or too early shows.
struct Chain {
  explicit Chain(std::size_t tasks) : from(tasks), to(tasks, 0) { std::iota(from.begin(), from.end(), uint64_t{1}); }

  // Each thread has its own pair of pointers, as a late one must not disturb the others.
  void run(Team& team) {
    std::vector<uint64_t>*a = &from, *b = &to;
    for (std::size_t op = 0; op < kOps; ++op) {
      team.begin(op);
      for (std::size_t phase = 0; phase < kPhasesAnOp; ++phase) {
        team.for_tasks(a->size(), [&](std::size_t task, int) {
          const uint64_t all = std::accumulate(a->begin(), a->end(), uint64_t{0});
          (*b)[task] = all * 6364136223846793005u + task;
        });
        std::swap(a, b);
      }
    }
  }

  std::vector<uint64_t> from, to;
};

std::vector<uint64_t> result(Pool& pool, Phases& phases, int threads, std::size_t tasks) {
  Chain chain(tasks);
  phases.reset();
  const auto work = [&](int thread) {
    Team team(phases, thread, threads);
    chain.run(team);
  };
  pool.run(threads, Work(work));
  return chain.from;
}

std::vector<uint64_t> alone(std::size_t tasks) {
  Chain chain(tasks);
  Team team;
  chain.run(team);
  return chain.from;
}

class Teams : public ::testing::TestWithParam<Pool*> {};

TEST_P(Teams, GiveWhatOneThreadGives) {
  Phases phases(kOps);
  for (const int threads : {1, 2, 3, 5}) {
    for (const std::size_t tasks : {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{30}}) {
      const auto wanted = alone(tasks);
      for (int round = 0; round < 20; ++round) ASSERT_EQ(result(*GetParam(), phases, threads, tasks), wanted);
    }
  }
}

TEST_P(Teams, EveryTaskRunsOnceOnAThreadOfTheTeam) {
  Phases phases(1);
  for (const int threads : {1, 2, 4}) {
    std::vector<std::atomic<int>> seen(100);
    std::atomic<bool> in_range{true};
    phases.reset();
    const auto work = [&](int member) {
      Team team(phases, member, threads);
      team.begin(0);
      team.for_tasks(seen.size(), [&](std::size_t task, int thread) {
        ++seen[task];
        if (thread < 0 || thread >= threads || thread != member) in_range = false;
      });
    };
    GetParam()->run(threads, Work(work));
    for (const auto& count : seen) EXPECT_EQ(count.load(), 1);
    EXPECT_TRUE(in_range);
  }
}

INSTANTIATE_TEST_SUITE_P(Pools, Teams, ::testing::ValuesIn(testing::all_pools()),
                         [](const auto& each) { return std::string(each.param->name()); });

TEST(Team, RangesCoverEverythingOnce) {
  for (const int threads : {1, 4}) {
    for (const std::size_t work : {std::size_t{1}, std::size_t{1} << 20}) {
      for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{17}}) {
        Phases phases(1);
        std::vector<int> seen(count);
        Team team(phases, 0, threads);
        team.for_ranges(count, work, [&](std::size_t begin, std::size_t end) {
          ASSERT_LT(begin, end);
          for (std::size_t i = begin; i < end; ++i) ++seen[i];
        });
        for (const int hits : seen) EXPECT_EQ(hits, 1);
      }
    }
  }
}

TEST(Team, AThreadThatSleepsOnAPhaseIsWoken) {
  // The helper's only task takes far longer than any spinning, so the other thread sleeps; then the other way round.
  Phases phases(2);
  std::atomic<bool> claimed{false};
  const auto member = [&](int thread) {
    Team team(phases, thread, 2);
    for (std::size_t op = 0; op < 2; ++op) {
      team.begin(op);
      team.for_tasks(1, [&](std::size_t, int) {
        claimed = true;
        std::this_thread::sleep_for(std::chrono::milliseconds(30));
      });
    }
  };
  std::thread other(member, 1);
  while (!claimed) std::this_thread::yield();
  member(0);
  other.join();
  EXPECT_EQ(phases[0].done.load(), 1u);
  EXPECT_EQ(phases[kPhasesAnOp].done.load(), 1u);
}

TEST(Team, RecordsItsSlicesWhenAsked) {
  Track track;
  Team team(&track);
  team.begin(3);
  team.for_tasks(2, [](std::size_t, int) {});
  team.for_tasks(0, [](std::size_t, int) {});
  ASSERT_EQ(track.slices.size(), 2u);
  EXPECT_EQ(track.slices[0].op, 3u);
  EXPECT_EQ(track.slices[0].phase, 0u);
  EXPECT_EQ(track.slices[0].tasks, 2u);
  EXPECT_LE(track.slices[0].begin + track.slices[0].busy, track.slices[0].end);
  EXPECT_EQ(track.slices[1].phase, 1u);
  EXPECT_EQ(track.slices[1].tasks, 0u);
}

}  // namespace
}  // namespace potstill::parallel
