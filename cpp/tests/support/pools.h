// Pools for tests: the real ones, and some whose helpers behave badly.
#pragma once

#include <atomic>
#include <ostream>
#include <thread>
#include <vector>

#include "parallel/pool.h"

namespace potstill::parallel {

// Names of tests would hold an address otherwise.
inline void PrintTo(Pool* pool, std::ostream* out) { *out << pool->name(); }

}  // namespace potstill::parallel

namespace potstill::testing {

// Helpers never get a core.
struct NobodyComes : parallel::Pool {
  void run(int, const parallel::Work& work) override { work(0); }
  const char* name() const noexcept override { return "nobody"; }
};

// Helpers get a core only when the caller has already finished everything.
struct TooLate : parallel::Pool {
  void run(int threads, const parallel::Work& work) override {
    work(0);
    std::vector<std::thread> helpers;
    for (int thread = 1; thread < threads; ++thread) helpers.emplace_back([&work, thread] { work(thread); });
    for (auto& helper : helpers) helper.join();
  }
  const char* name() const noexcept override { return "late"; }
};

// Helpers come at any moment, the caller last.
struct CallerLast : parallel::Pool {
  void run(int threads, const parallel::Work& work) override {
    std::atomic<int> finished{0};
    std::vector<std::thread> helpers;
    for (int thread = 1; thread < threads; ++thread) {
      helpers.emplace_back([&, thread] {
        work(thread);
        ++finished;
      });
    }
    while (finished.load() + 1 < threads) std::this_thread::yield();
    work(0);
    for (auto& helper : helpers) helper.join();
  }
  const char* name() const noexcept override { return "last"; }
};

// All of them, and those of this build; kept to the end of the process, as their threads are.
inline std::vector<parallel::Pool*> all_pools() {
  static const std::vector<parallel::Pool*> pools = [] {
    std::vector<parallel::Pool*> made{new NobodyComes, new TooLate, new CallerLast};
    for (auto make : {parallel::make_thread_pool, parallel::make_openmp_pool}) {
      if (parallel::Pool* pool = make().release(); pool != nullptr) made.push_back(pool);
    }
    return made;
  }();
  return pools;
}

}  // namespace potstill::testing
