// 32-bit Arm: sums in NEON, epilogue in scalar VFP code (32-bit NEON flushes f32 denormals, VFP does not).
// `Dot`: kStep k columns of a step of 64 bytes; step(acc, x, ldx, w) adds one.
#pragma once

#include <arm_neon.h>

#include <cmath>

#include "kernels/reference/math.h"
#include "kernels/simd/unroll.h"

namespace potstill::kernels {
namespace {

// R rows x one panel of four columns.  16 registers: 8 sums, a column, two rows, products.
template <class Dot, std::size_t R>
inline void panel(const int8_t* x, std::size_t ldx, const int8_t* w, std::size_t steps, int32_t* tile) {
  int32x4_t acc[R][4];
  unroll<R>([&](auto r) POTSTILL_INLINE { unroll<4>([&](auto c) POTSTILL_INLINE { acc[r][c] = vdupq_n_s32(0); }); });
  for (std::size_t s = 0; s < steps; ++s, w += 64, x += Dot::kStep) Dot::template step<R>(acc, x, ldx, w);
  unroll<R>([&](auto r) POTSTILL_INLINE {
    int32x2_t half[4];
    unroll<4>([&](auto c) POTSTILL_INLINE { half[c] = vadd_s32(vget_low_s32(acc[r][c]), vget_high_s32(acc[r][c])); });
    vst1q_s32(tile + r * 4, vcombine_s32(vpadd_s32(half[0], half[1]), vpadd_s32(half[2], half[3])));
  });
}

template <class Dot>
inline void gemm_neon32(const GemmI8& g) {
  constexpr std::size_t kRows = 2;
  const std::size_t steps = round_up(g.k, Dot::kStep) / Dot::kStep;
  int32_t tile[kRows * 4];
  for (std::size_t n = g.col_begin; n < g.col_end; n += 4) {
    const std::size_t cols = g.col_end - n < 4 ? g.col_end - n : 4;
    const int8_t* w = g.w + n / 4 * steps * 64;
    for (std::size_t m = 0; m < g.rows; m += kRows) {
      const std::size_t rows = g.rows - m < kRows ? g.rows - m : kRows;
      const int8_t* x = g.x + m * g.ldx;
      rows == kRows ? panel<Dot, kRows>(x, g.ldx, w, steps, tile) : panel<Dot, 1>(x, g.ldx, w, steps, tile);
      for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t c = 0; c < cols; ++c) reference::finish_integer(g, m + r, n + c, tile[r * 4 + c]);
      }
    }
  }
}

}  // namespace
}  // namespace potstill::kernels
