// Threads that go through the same ops together.
//
// Every thread of a team runs the whole op list. Work is handed out in phases: a phase's tasks are claimed from a
// counter, and the phase is over when all its TASKS are done, not when all threads have come. So the calling thread
// never waits for a thread that has claimed nothing; it can finish a forward alone; and a thread that comes late finds
// finished phases and falls through them to the current one. Which thread runs a task has no influence on results:
// every output element is computed by one task in one order.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "parallel/futex.h"
#include "parallel/track.h"

namespace potstill::parallel {

// Phases an op may have.
inline constexpr std::size_t kPhasesAnOp = 3;

struct Phase {
  alignas(64) Word next{0};  // the next task to claim
  alignas(64) Word done{0};  // tasks finished
  Word sleepers{0};          // not 0: somebody may sleep on `done`
};

// The phases of one forward, shared by a team's threads.
class Phases {
 public:
  explicit Phases(std::size_t ops) : count_(ops * kPhasesAnOp), phases_(std::make_unique<Phase[]>(count_)) {}
  void reset() noexcept;  // only while no thread is inside a forward
  std::size_t count() const noexcept { return count_; }
  Phase& operator[](std::size_t i) noexcept { return phases_[i]; }

 private:
  std::size_t count_;
  std::unique_ptr<Phase[]> phases_;
};

// One thread's way through the phases.
class Team {
 public:
  // Alone: no counters, no waiting.
  explicit Team(Track* track = nullptr) noexcept : track_(track) {}
  Team(Phases& phases, int thread, int threads, Track* track = nullptr) noexcept
      : phases_(&phases), thread_(thread), threads_(threads), track_(track) {}

  int threads() const noexcept { return threads_; }

  // Before each op, with its index; all threads in the same order.
  void begin(std::size_t op) noexcept {
    phase_ = op * kPhasesAnOp;
    end_ = phase_ + kPhasesAnOp;
  }

  // Calls body(task, thread) for every task in [0, tasks), thread in [0, threads()); returns when all are done. Every
  // thread of the team must make the same calls with the same numbers. The body must not throw.
  template <typename Body>
  void for_tasks(std::size_t tasks, const Body& body) {
    const std::size_t index = phase_++;
    if (track_ != nullptr) {
      tracked(index, tasks, body);
    } else {
      each(index, tasks, [&](std::size_t task) { body(task, thread_); });
    }
  }

  // Splits [0, count) into ranges and calls body(begin, end) for each; one range when `work` (about a nanosecond each)
  // is too small to be worth a second thread's waiting for its cache lines.
  template <typename Body>
  void for_ranges(std::size_t count, std::size_t work, const Body& body) {
    constexpr std::size_t kWorthIt = 8192;
    std::size_t parts = work < kWorthIt ? 1 : 2 * static_cast<std::size_t>(threads_);
    if (threads_ == 1) parts = 1;
    if (parts > count) parts = count;
    for_tasks(parts, [&](std::size_t part, int) { body(count * part / parts, count * (part + 1) / parts); });
  }

 private:
  template <typename Body>
  void each(std::size_t index, std::size_t tasks, const Body& body) {
    if (threads_ == 1) {
      for (std::size_t task = 0; task < tasks; ++task) body(task);
      return;
    }
    Phase& phase = at(index);
    const auto all = static_cast<uint32_t>(tasks);
    if (phase.done.load(std::memory_order_acquire) == all) return;
    for (uint32_t task; (task = phase.next.fetch_add(1, std::memory_order_relaxed)) < all;) {
      body(task);
      // Counted task by task: a thread that loses its core between two tasks keeps nobody waiting.
      if (phase.done.fetch_add(1) + 1 == all && phase.sleepers.load() != 0) futex_wake_all(phase.done);
    }
    if (phase.done.load(std::memory_order_acquire) != all) wait(phase, all);
  }

  template <typename Body>
  void tracked(std::size_t index, std::size_t tasks, const Body& body) {
    Slice slice{.op = static_cast<uint32_t>(index / kPhasesAnOp), .phase = static_cast<uint32_t>(index % kPhasesAnOp)};
    slice.begin = Track::now();
    each(index, tasks, [&](std::size_t task) {
      const int64_t start = Track::now();
      body(task, thread_);
      slice.busy += Track::now() - start;
      ++slice.tasks;
    });
    slice.end = Track::now();
    track_->slices.push_back(slice);
  }

  Phase& at(std::size_t index) noexcept;
  static void wait(Phase& phase, uint32_t all) noexcept;

  Phases* phases_ = nullptr;
  int thread_ = 0;
  int threads_ = 1;
  std::size_t phase_ = 0;
  std::size_t end_ = kPhasesAnOp;  // of the current op's phases
  Track* track_;
};

}  // namespace potstill::parallel
