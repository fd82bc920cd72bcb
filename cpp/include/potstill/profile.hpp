// Where the time of a forward goes: what Model::profile gives.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace potstill {

// One op of the model, for the profiled batch. Times are medians over the runs, in nanoseconds.
struct ProfileOp {
  std::string name;      // as the file says
  std::string kind;      // "Embedding", "LayerNorm", "Linear", "Attention", "Pool"
  uint64_t macs = 0;     // multiply-adds of matrix products
  uint64_t bytes = 0;    // weights and activations read and written, each counted once
  bool integer = false;  // the products are int8
  int64_t wall = 0;      // on the calling thread, waiting for the others included; the walls of all ops add up to a run
  int64_t busy = 0;      // computing, summed over all threads
};

// What one thread did in one phase of an op, in nanoseconds since the first run began.
struct ProfileSlice {
  uint32_t thread = 0;  // 0: the caller
  uint32_t op = 0;
  uint32_t phase = 0;
  uint32_t tasks = 0;  // it ran; others ran the rest
  int64_t begin = 0;
  int64_t end = 0;
  int64_t busy = 0;  // inside tasks; the rest is claiming and waiting
};

struct Profile {
  std::vector<ProfileOp> ops;
  std::vector<ProfileSlice> slices;  // of all runs
  std::vector<int64_t> run_begin, run_end;
  int threads = 1;  // that took part: fewer than the model's when the work is not worth them

  // Multiply-adds a second of one core with all operands in its first-level cache, measured just before on the kernel
  // set in use: a tile of 24 x 16 with k = 512 (int8) and 12 x 16 with k = 192 (f32), epilogue included.
  double peak_int8 = 0;
  double peak_f32 = 0;
};

}  // namespace potstill
