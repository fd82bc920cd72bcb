// OpenMP's threads: one parallel region a forward.
#include "parallel/pool.h"

#if defined(_OPENMP)
#include <omp.h>
#include <pthread.h>

#include <atomic>
#include <mutex>

#include "parallel/fp_state.h"
#include "parallel/share.h"

namespace potstill::parallel {
namespace {

std::atomic<bool> threads_used{false};
std::atomic<bool> child_of_threads{false};

void after_fork_in_child() {
  if (threads_used.load(std::memory_order_relaxed)) child_of_threads.store(true, std::memory_order_relaxed);
}

void note_threads_used() {
  if (threads_used.load(std::memory_order_relaxed)) return;
  static std::once_flag once;
  std::call_once(once, [] { pthread_atfork(nullptr, nullptr, after_fork_in_child); });
  threads_used.store(true, std::memory_order_relaxed);
}

class OpenMpPool : public Pool {
 public:
  void run(int threads, const Work& work) override {
    // In a child of fork() whose parent used OpenMP threads they don't exist, and a region would wait for them for
    // ever: such a child runs on one thread, with the same results.
    if (threads <= 1 || child_of_threads.load(std::memory_order_relaxed)) {
      work(0);
      return;
    }
    note_threads_used();
    const int helpers = enter(threads);
    if (helpers == 0) {
      work(0);
    } else {
#pragma omp parallel num_threads(helpers + 1)
      {
        const FpState state;
        work(omp_get_thread_num());
      }
    }
    const std::lock_guard lock(mutex_);
    share_.leave(helpers);
  }

  const char* name() const noexcept override { return "openmp"; }

 private:
  int enter(int threads) {
    const std::lock_guard lock(mutex_);
    return share_.enter(threads);
  }

  std::mutex mutex_;
  Share share_;
};

}  // namespace

std::unique_ptr<Pool> make_openmp_pool() { return std::make_unique<OpenMpPool>(); }

}  // namespace potstill::parallel

#else

namespace potstill::parallel {

std::unique_ptr<Pool> make_openmp_pool() { return nullptr; }

}  // namespace potstill::parallel

#endif
