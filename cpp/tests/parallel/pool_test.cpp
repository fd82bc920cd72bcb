// Where threads come from: joined before run() returns, shared by concurrent callers, safe across fork().
#include "parallel/pool.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "parallel/share.h"
#include "parallel/threads.h"
#include "support/emulated.h"
#include "support/pools.h"

namespace potstill::parallel {
namespace {

TEST(Share, AloneGetsAllAndACrowdGetsNone) {
  Share share;
  const int first = share.enter(4);
  EXPECT_EQ(first, 3);
  const int second = share.enter(4);
  EXPECT_EQ(second, 0);
  share.leave(first);
  const int third = share.enter(4);  // two callers: two helpers are left over
  EXPECT_EQ(third, 2);
  const int fourth = share.enter(2);
  EXPECT_EQ(fourth, 0);
  share.leave(second);
  share.leave(third);
  share.leave(fourth);
  EXPECT_EQ(share.enter(2), 1);
}

TEST(Share, ManyCallersGetNoHelpers) {
  Share share;
  share.leave(share.enter(2));
  std::vector<int> granted;
  for (int caller = 0; caller < 5; ++caller) granted.push_back(share.enter(2));
  EXPECT_EQ(granted, (std::vector<int>{1, 0, 0, 0, 0}));
  for (const int helpers : granted) share.leave(helpers);
  EXPECT_EQ(share.enter(2), 1);
}

class Pools : public ::testing::TestWithParam<Pool*> {};

TEST_P(Pools, RunTheCallerOnceAndEachHelperAtMostOnce) {
  const auto caller = std::this_thread::get_id();
  for (const int threads : {1, 2, 4, 3, 2}) {
    for (int round = 0; round < 50; ++round) {
      std::vector<std::atomic<int>> calls(static_cast<std::size_t>(threads));
      std::atomic<bool> right_caller{false};
      std::atomic<int> inside{0};
      const auto work = [&](int thread) {
        ++inside;
        ++calls[static_cast<std::size_t>(thread)];
        if (thread == 0) right_caller = std::this_thread::get_id() == caller;
        --inside;
      };
      GetParam()->run(threads, Work(work));
      ASSERT_EQ(inside.load(), 0);
      ASSERT_TRUE(right_caller);
      ASSERT_EQ(calls[0].load(), 1);
      for (const auto& count : calls) ASSERT_LE(count.load(), 1);
    }
  }
}

TEST_P(Pools, ServeManyCallersAtOnce) {
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&] {
      for (int round = 0; round < 100; ++round) {
        std::atomic<int> calls{0}, first{0};
        const auto work = [&](int thread) {
          ++calls;
          if (thread == 0) ++first;
        };
        GetParam()->run(3, Work(work));
        if (first.load() != 1 || calls.load() < 1 || calls.load() > 3) ++wrong;
      }
    });
  }
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(wrong.load(), 0);
}

INSTANTIATE_TEST_SUITE_P(All, Pools, ::testing::ValuesIn(testing::all_pools()),
                         [](const auto& each) { return std::string(each.param->name()); });

TEST(ThreadPool, NeverWaitsForAHelperThatDidNotCome) {
  Pool& threads = *make_thread_pool().release();
  // The only helper is kept inside one caller's work, by a second caller that finishes long before it.
  std::atomic<bool> helper_in{false}, release{false};
  std::thread first([&] {
    const auto hold = [&](int thread) {
      if (thread != 0) helper_in = true;
      while (thread != 0 ? !release.load() : !helper_in.load()) std::this_thread::yield();
    };
    threads.run(2, Work(hold));
  });
  while (!helper_in) std::this_thread::yield();
  for (int round = 0; round < 3; ++round) {
    int calls = 0;
    const auto count = [&](int) { ++calls; };
    threads.run(2, Work(count));
    EXPECT_EQ(calls, 1);
  }
  release = true;
  first.join();
}

TEST(ThreadPool, WakesASleepingHelper) {
  Pool& threads = *make_thread_pool().release();
  for (int round = 0; round < 3; ++round) {
    std::atomic<int> calls{0};
    const auto both = [&](int) {  // the caller stays until the helper has come
      ++calls;
      while (calls.load() < 2) std::this_thread::yield();
    };
    threads.run(2, Work(both));
    EXPECT_EQ(calls.load(), 2);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // longer than it spins
  }
}

TEST(Pool, AForkedChildWorksInsteadOfHanging) {
  if (testing::emulated()) GTEST_SKIP() << "qemu-user 7.2 fails an assertion when a forked child makes a thread";
  const auto count = [] {
    std::atomic<int> calls{0};
    const auto work = [&](int) { ++calls; };
    pool().run(2, Work(work));
    return calls.load();
  };
  ASSERT_GE(count(), 1);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(20);  // ends the child if it hangs
    for (int round = 0; round < 10; ++round) {
      if (count() < 1) _exit(1);
    }
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

}  // namespace
}  // namespace potstill::parallel
