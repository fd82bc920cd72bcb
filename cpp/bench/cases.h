// The kernel calls that are counted (kernel_count.cpp) and timed (kernel_bench.cpp): the shapes of the common student,
// 312 wide with 12 heads of 26 and an inner width of 1200, for one sentence of 64 tokens and for 7 rows, a tail.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kernels/kernels.h"

namespace potstill::bench {

struct Case {
  std::string name;                                       // "gemm_i8/64x936x312": kernel, then rows x columns x inner
  uint64_t work;                                          // multiply-adds of a product, else elements written
  std::function<void(const kernels::KernelTable&)> call;  // owns its data; the same numbers on every machine
};

// All cases; their order and names are those of kernel_counts.json.
std::vector<Case> cases();

}  // namespace potstill::bench
