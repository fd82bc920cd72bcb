// Measuring forwards: what is recorded, and what becomes of it.
#pragma once

#include <span>
#include <vector>

#include "graph/graph.h"
#include "parallel/track.h"
#include "potstill/profile.hpp"

namespace potstill::graph {

// Given to Session::run, it fills up with what each thread does. Without one a session pays a pointer test a phase.
struct Recorder {
  Recorder(int threads, std::size_t slices);  // room for so many slices a thread: nothing is allocated while recording

  std::vector<parallel::Track> tracks;  // by thread
  int threads = 1;                      // of the last chunk
};

// Times each op of `batch` (one chunk's offsets) from the tracks of several runs.
Profile summarize(const Graph& graph, std::span<const uint32_t> offsets, const std::vector<Recorder>& runs,
                  std::span<const int64_t> run_begin, std::span<const int64_t> run_end);

// Multiply-adds a second of one core, see Profile.
double peak_int8(const kernels::KernelTable& kernels);
double peak_f32(const kernels::KernelTable& kernels);

}  // namespace potstill::graph
