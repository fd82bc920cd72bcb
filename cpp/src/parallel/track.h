// What one thread did, recorded when profiling is on.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

namespace potstill::parallel {

// One thread's part of one phase, in nanoseconds of the steady clock.
struct Slice {
  uint32_t op = 0;     // index in the op list
  uint32_t phase = 0;  // within the op
  uint32_t tasks = 0;  // run by this thread
  int64_t begin = 0;
  int64_t end = 0;
  int64_t busy = 0;  // inside tasks; the rest is claiming and waiting for other threads
};

struct Track {
  std::vector<Slice> slices;

  static int64_t now() noexcept {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }
};

}  // namespace potstill::parallel
