#include "graph/profile.h"

#include <algorithm>

namespace potstill::graph {
namespace {

using parallel::Track;

int64_t median(std::vector<int64_t> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// The best of several short stretches: a stretch in which another program had the core says nothing about the core.
template <typename Body>
double rate(uint64_t macs, const Body& body) {
  constexpr int kStretches = 20, kCalls = 50;
  double best = 0;
  body();
  for (int stretch = 0; stretch < kStretches; ++stretch) {
    const int64_t begin = Track::now();
    for (int call = 0; call < kCalls; ++call) body();
    const int64_t taken = std::max<int64_t>(Track::now() - begin, 1);
    best = std::max(best, static_cast<double>(macs) * kCalls / static_cast<double>(taken) * 1e9);
  }
  return best;
}

// Aligned as an arena is.
template <typename T>
struct alignas(64) Tile {
  T data[24 * 512] = {};
};

}  // namespace

Recorder::Recorder(int team, std::size_t slices) : tracks(static_cast<std::size_t>(team)) {
  for (auto& track : tracks) track.slices.reserve(slices);
}

Profile summarize(const Graph& graph, std::span<const uint32_t> offsets, const std::vector<Recorder>& runs,
                  std::span<const int64_t> run_begin, std::span<const int64_t> run_end) {
  Profile profile;
  const int64_t zero = run_begin.empty() ? 0 : run_begin.front();
  for (const int64_t time : run_begin) profile.run_begin.push_back(time - zero);
  for (const int64_t time : run_end) profile.run_end.push_back(time - zero);
  std::vector<std::vector<int64_t>> wall(graph.ops.size()), busy(graph.ops.size());
  for (const Recorder& run : runs) {
    profile.threads = std::max(profile.threads, run.threads);
    std::vector<int64_t> run_wall(graph.ops.size(), 0), run_busy(graph.ops.size(), 0);
    for (std::size_t thread = 0; thread < run.tracks.size(); ++thread) {
      for (const parallel::Slice& slice : run.tracks[thread].slices) {
        if (thread == 0) run_wall[slice.op] += slice.end - slice.begin;
        run_busy[slice.op] += slice.busy;
        profile.slices.push_back({static_cast<uint32_t>(thread), slice.op, slice.phase, slice.tasks, slice.begin - zero,
                                  slice.end - zero, slice.busy});
      }
    }
    for (std::size_t op = 0; op < graph.ops.size(); ++op) {
      wall[op].push_back(run_wall[op]);
      busy[op].push_back(run_busy[op]);
    }
  }
  for (std::size_t i = 0; i < graph.ops.size(); ++i) {
    const ops::Op& op = *graph.ops[i];
    const ops::Cost cost = op.cost(offsets);
    profile.ops.push_back({op.name, op.kind(), cost.macs, cost.bytes, cost.integer, median(wall[i]), median(busy[i])});
  }
  profile.peak_int8 = peak_int8(*graph.kernels);
  profile.peak_f32 = peak_f32(*graph.kernels);
  return profile;
}

double peak_int8(const kernels::KernelTable& kernels) {
  constexpr std::size_t kRows = 24, kColumns = 16, kInner = 512;  // 12 + 8 KiB of operands, 1.5 KiB of results
  const Tile<int8_t> x, w;
  float scale[24] = {}, y[kRows * kColumns];
  const int32_t colsum[kColumns] = {};
  return rate(kRows * kColumns * kInner, [&] {
    kernels.gemm_i8({x.data, kInner, scale, nullptr, w.data, scale, colsum, scale, nullptr, 0, y, kColumns, kRows,
                     kColumns, kInner, 0, kColumns, kernels::Activation::None});
  });
}

double peak_f32(const kernels::KernelTable& kernels) {
  constexpr std::size_t kRows = 12, kColumns = 16, kInner = 192;  // 9 + 12 KiB of operands
  const Tile<float> x, w;
  float y[kRows * kColumns];
  const float bias[kColumns] = {};
  return rate(kRows * kColumns * kInner, [&] {
    kernels.gemm_f32({x.data, kInner, w.data, bias, nullptr, 0, y, kColumns, kRows, kColumns, kInner, 0, kColumns,
                      kernels::Activation::None});
  });
}

}  // namespace potstill::graph
