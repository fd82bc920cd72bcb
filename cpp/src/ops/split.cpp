#include "ops/split.h"

#include <cstdint>

namespace potstill::ops {
namespace {

// Claiming a task and counting it done, in multiply-adds: about 0.1 us on a desktop core, 1 us on a Cortex-A72.
constexpr std::size_t kTaskCost = 10000;
// Below this a product is one task: handing half of it over would cost more than it takes.
constexpr std::size_t kSmall = 4 * kTaskCost;
// Above this many rows they are cut too, so that a full chunk of 256 tokens gives tasks of half the size. Each block
// reads all weights of its columns again, from the second-level cache, which is cheap against 100 rows of arithmetic.
constexpr std::size_t kBlockRows = 128;
// Kernels take 4 or 6 rows at a time; only the last block may leave a remainder.
constexpr std::size_t kRowStep = 12;

constexpr std::size_t ceil_div(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

}  // namespace

Split split_product(std::size_t rows, std::size_t n, std::size_t k, int threads) {
  const auto team = static_cast<std::size_t>(threads);
  if (team == 1 || uint64_t{rows} * n * k < kSmall) return {rows, ceil_div(n, 16) * 16, 1, 1};
  std::size_t block = rows, row_blocks = 1;
  if (rows > kBlockRows) {
    block = ceil_div(ceil_div(rows, ceil_div(rows, kBlockRows)), kRowStep) * kRowStep;
    row_blocks = ceil_div(rows, block);
  }
  Split best{};
  uint64_t least = UINT64_MAX;
  for (std::size_t each = 1; each <= 6; ++each) {  // column blocks for each thread
    const std::size_t columns = ceil_div(ceil_div(n, each * team), 16) * 16;
    const std::size_t tasks = ceil_div(n, columns) * row_blocks, rounds = ceil_div(tasks, team);
    // The time of the last thread to finish; half a task more, because threads don't start together.
    const uint64_t task = uint64_t{block} * columns * k, time = rounds * (task + kTaskCost) + task / 2;
    if (time >= least) continue;
    least = time;
    best = {block, columns, row_blocks, tasks};
  }
  return best;
}

}  // namespace potstill::ops
