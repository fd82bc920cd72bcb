// The epilogue: y = activation(value) + residual.  Include a set's vec.h first.
#pragma once

#include "kernels/simd/math.h"

namespace potstill::kernels {
namespace {

// One tile of outputs: `y` and `residual` (or nullptr) point at its first element.
struct Target {
  float* y;
  const float* residual;
  std::size_t ldy, ldr, cols;
};

// R rows from row `first` on, N vectors each; a row may hold fewer columns than the vectors.
template <Activation A, std::size_t R, std::size_t N>
POTSTILL_INLINE inline void finish(const Target& t, std::size_t first, const Vs<R * N>& value) {
  Vs<R * N> out = activate<A>(value);
  float* y = t.y + first * t.ldy;
  const bool whole = t.cols >= N * kLanes;
  if (t.residual) {
    const float* residual = t.residual + first * t.ldr;
    unroll<R * N>([&](auto i) POTSTILL_INLINE {
      const float* p = residual + i / N * t.ldr + i % N * kLanes;
      out.v[i] = add(out.v[i], whole ? load(p) : load_n(p, lanes_of(t.cols, i % N)));
    });
  }
  unroll<R * N>([&](auto i) POTSTILL_INLINE {
    float* p = y + i / N * t.ldy + i % N * kLanes;
    whole ? store(p, out.v[i]) : store_n(p, out.v[i], lanes_of(t.cols, i % N));
  });
}

}  // namespace
}  // namespace potstill::kernels
