// Our own helpers: threads that sleep on a futex between forwards, and that a caller never waits for unless they are
// inside its forward.
#include <pthread.h>

#include <array>
#include <csignal>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "parallel/fp_state.h"
#include "parallel/futex.h"
#include "parallel/pool.h"
#include "parallel/share.h"
#include "parallel/spin.h"
#include "parallel/threads.h"

namespace potstill::parallel {
namespace {

// A helper's word. Idle -> Taken by a caller (under the mutex) -> Offered by it -> Inside by the helper -> Done by the
// helper -> Idle by the caller; or Offered -> Idle by the caller, when the helper did not come in time.
enum State : uint32_t { kIdle, kTaken, kOffered, kInside, kDone };

struct alignas(64) Helper {
  Word state{kIdle};
  Word asleep{0};        // the helper is in, or about to enter, futex_wait
  Word caller_waits{0};  // the caller is, for Done
  const Work* work = nullptr;
  int thread = 0;
};

[[noreturn]] void serve(Helper& helper) {
  const FpState state;
  while (true) {
    const auto offered = [&] { return helper.state.load(std::memory_order_acquire) == kOffered; };
    // After a forward the next one often follows within microseconds.
    if (!spin_until(offered)) {
      helper.asleep.store(1);
      for (uint32_t seen; (seen = helper.state.load()) != kOffered;) futex_wait(helper.state, seen);
      helper.asleep.store(0, std::memory_order_relaxed);
    }
    uint32_t expected = kOffered;
    if (!helper.state.compare_exchange_strong(expected, kInside, std::memory_order_acquire)) continue;  // taken back
    (*helper.work)(helper.thread);
    helper.state.store(kDone);
    if (helper.caller_waits.load() != 0) futex_wake_all(helper.state);
  }
}

void offer(Helper& helper, const Work& work, int thread) {
  helper.work = &work;
  helper.thread = thread;
  helper.state.store(kOffered);
  if (helper.asleep.load() != 0) futex_wake_all(helper.state);
}

void take_back(Helper& helper) {
  uint32_t expected = kOffered;
  if (helper.state.compare_exchange_strong(expected, kTaken, std::memory_order_relaxed)) return;
  const auto done = [&] { return helper.state.load(std::memory_order_acquire) == kDone; };
  if (spin_until(done)) return;
  helper.caller_waits.store(1);
  for (uint32_t seen; (seen = helper.state.load()) != kDone;) futex_wait(helper.state, seen);
  helper.caller_waits.store(0, std::memory_order_relaxed);
}

class ThreadPool : public Pool {
 public:
  void run(int threads, const Work& work) override {
    if (threads <= 1) {
      work(0);
      return;
    }
    std::array<Helper*, kMaxThreads> mine;
    std::size_t count = 0;
    int granted = 0;
    {
      const std::lock_guard lock(mutex_);
      granted = share_.enter(threads);
      for (const auto& helper : helpers_) {
        if (count == static_cast<std::size_t>(granted)) break;
        if (helper->state.load(std::memory_order_acquire) != kIdle) continue;
        helper->state.store(kTaken, std::memory_order_relaxed);
        mine[count++] = helper.get();
      }
      while (count < static_cast<std::size_t>(granted)) {
        Helper* helper = start();
        if (helper == nullptr) break;  // no thread to be had: fewer do the work
        mine[count++] = helper;
      }
    }
    for (std::size_t i = 0; i < count; ++i) offer(*mine[i], work, static_cast<int>(i) + 1);
    work(0);
    for (std::size_t i = 0; i < count; ++i) take_back(*mine[i]);
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < count; ++i) mine[i]->state.store(kIdle, std::memory_order_release);
    share_.leave(granted);
  }

  const char* name() const noexcept override { return "threads"; }

 private:
  // A new helper in state Taken, or null. Signals of the host program go to its own threads, never to ours.
  Helper* start() {
    auto helper = std::make_unique<Helper>();
    helper->state.store(kTaken, std::memory_order_relaxed);
    helpers_.reserve(helpers_.size() + 1);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    Helper* made = helper.get();
    try {
      std::thread(serve, std::ref(*made)).detach();
      helpers_.push_back(std::move(helper));
    } catch (const std::system_error&) {
      made = nullptr;
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return made;
  }

  std::mutex mutex_;
  Share share_;
  std::vector<std::unique_ptr<Helper>> helpers_;
};

}  // namespace

// The helpers never end, so neither must their pool: whoever gets one keeps it to the end of the process.
std::unique_ptr<Pool> make_thread_pool() { return std::make_unique<ThreadPool>(); }

}  // namespace potstill::parallel
