// Where every activation and every scratch buffer lies in one arena, known before anything runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "ops/op.h"

namespace potstill::graph {

// A buffer that must not share memory with any other whose [first, last] (op indices, inclusive) overlaps.
struct Interval {
  uint64_t bytes;
  std::size_t first;
  std::size_t last;
};

// Offsets (multiples of 64) for the buffers, largest placed first, each at the lowest gap that fits; `total` gets the
// arena's size. Throws Error F045 when it would be over `limit` bytes.
std::vector<std::size_t> place(std::span<const Interval> buffers, std::size_t limit, std::size_t& total);

// A value's quantized form; made by op `maker`.
struct Form {
  bool used = false;
  std::uint32_t maker = 0;
  std::size_t offset = 0;
};

struct Plan {
  std::vector<std::size_t> values;   // byte offset of each value
  std::vector<Form> forms;           // by ops::form_index, two for each value
  std::vector<std::size_t> scratch;  // byte offset of each op's scratch
  std::size_t bytes = 0;             // the peak: the whole arena
};

// `kept` are the values that must survive the last op. Values whose op can work in place share their input's memory.
// A form lives from its maker to the last op that wants it.
Plan plan(std::span<const ops::Shape> values, std::span<const std::unique_ptr<ops::Op>> ops, std::span<const int> kept,
          const ops::Sizes& sizes);

}  // namespace potstill::graph
