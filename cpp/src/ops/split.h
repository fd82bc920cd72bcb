// How a matrix product is cut into tasks for a team.
#pragma once

#include <cstddef>

namespace potstill::ops {

// Tasks are blocks of `rows` x `columns` of the output (`columns` a multiple of 16, as kernels want them); task i is
// block row i % row_blocks of block column i / row_blocks, so that neighbours in time share their weights.
struct Split {
  std::size_t rows, columns;
  std::size_t row_blocks, tasks;
};

// For [rows, k] x [k, n]. Never depends on anything but its arguments: all threads of a team get the same.
Split split_product(std::size_t rows, std::size_t n, std::size_t k, int threads);

}  // namespace potstill::ops
