// How many threads a model may use.
//
// Policy: the caller's number, else POTSTILL_NUM_THREADS, else the smaller of the CPUs in the process's affinity mask
// and the cgroup's CPU quota (whole CPUs, at least 1). Affinity is never changed, no thread is pinned, no environment
// variable is set. How many of them a forward really uses: worth_threads() below, and README.md.
#pragma once

#include <cstdint>
#include <string>

namespace potstill::parallel {

inline constexpr int kMaxThreads = 256;

// `requested` 0 = not given. Throws Error I004 when it or POTSTILL_NUM_THREADS is not in [1, 256].
int resolve_threads(int requested);

// CPUs the cgroup allows, 0 = no limit or unknown. `root` stands before /proc and /sys (tests use a folder).
int quota_cpus(const std::string& root = "");

// CPUs in the affinity mask of this process, at least 1.
int affinity_cpus();

// How many of `threads` a forward of this much work (int8 multiply-adds, see ops::Cost) should use: no more than one
// for each kWorkAThread. 2 M multiply-adds are about 0.25 ms on one Cortex-A72 core, 50 us on a Cortex-A76 and 20 us
// with AVX512-VNNI; waking a sleeping helper costs about 70-100 us on a Pi 4 and 5-50 us on a desktop.
inline constexpr uint64_t kWorkAThread = uint64_t{2} << 20;
constexpr int worth_threads(int threads, uint64_t work, uint64_t work_a_thread = kWorkAThread) noexcept {
  const uint64_t most = work_a_thread == 0 ? UINT64_MAX : work / work_a_thread;
  return most >= static_cast<uint64_t>(threads) ? threads : most > 1 ? static_cast<int>(most) : 1;
}

}  // namespace potstill::parallel
