// How many threads, and how work reaches them.
//
// Policy: the caller's number, else POTSTILL_NUM_THREADS, else the smaller of the CPUs in the process's affinity mask
// and the cgroup's CPU quota (whole CPUs, at least 1). Affinity is never changed. OpenMP's threads are started by the
// first run that needs them; after a region they spin for the runtime's own short time and then sleep in the kernel
// (OMP_WAIT_POLICY=passive makes them sleep at once; we never set environment variables of the process).
// Results don't depend on the number of threads: every output element is computed by one thread in one order.
#pragma once

#include <cstddef>
#include <string>

#include "parallel/fp_state.h"

#if defined(_OPENMP)
#include <omp.h>
#endif

namespace potstill::parallel {

inline constexpr int kMaxThreads = 256;

// `requested` 0 = not given. Throws Error I004 when it or POTSTILL_NUM_THREADS is not in [1, 256].
int resolve_threads(int requested);

// CPUs the cgroup allows, 0 = no limit or unknown. `root` stands before /proc and /sys (tests use a folder).
int quota_cpus(const std::string& root = "");

// CPUs in the affinity mask of this process, at least 1.
int affinity_cpus();

// False in a child of fork() whose parent already used OpenMP threads: they don't exist there and a region would wait
// for them for ever. Such a child runs on one thread, with the same results.
bool threads_usable() noexcept;

// Called before the first region: from now on a fork() makes threads_usable() false in the child.
void note_threads_used() noexcept;

// Calls body(task, thread) for every task in [0, tasks), thread in [0, threads). The body must not throw.
template <typename Body>
void for_tasks(int threads, std::size_t tasks, const Body& body) {
#if defined(_OPENMP)
  if (threads > 1 && tasks > 1 && threads_usable()) {
    note_threads_used();
    const int team = tasks < static_cast<std::size_t>(threads) ? static_cast<int>(tasks) : threads;
#pragma omp parallel num_threads(team)
    {
      const FpState state;
      const int thread = omp_get_thread_num();
#pragma omp for schedule(dynamic, 1) nowait
      for (std::size_t task = 0; task < tasks; ++task) body(task, thread);
    }
    return;
  }
#endif
  for (std::size_t task = 0; task < tasks; ++task) body(task, 0);
}

// Splits [0, count) into ranges and calls body(begin, end); one range when `work` (about a nanosecond each) is too
// small to pay for waking a thread.
template <typename Body>
void for_ranges(int threads, std::size_t count, std::size_t work, const Body& body) {
  constexpr std::size_t kWorthIt = 32768;
  std::size_t parts = work < kWorthIt ? 1 : static_cast<std::size_t>(threads);
  if (parts > count) parts = count;
  if (parts <= 1) {
    if (count > 0) body(std::size_t{0}, count);
    return;
  }
  for_tasks(threads, parts, [&](std::size_t part, int) { body(count * part / parts, count * (part + 1) / parts); });
}

}  // namespace potstill::parallel
