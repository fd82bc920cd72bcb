// Columns outer (16 weights columns stay in the cache), rows inner.  Include a set's vec.h first.
#pragma once

#include "kernels/simd/finish.h"
#include "kernels/simd/product.h"

namespace potstill::kernels {
namespace {

inline void gemm_f32_simd(const GemmF32& g) {
  alignas(64) float tile[kGemmRows * kTileColumns];
  for (std::size_t n = g.col_begin; n < g.col_end; n += kTileColumns) {
    const std::size_t cols = smaller(kTileColumns, g.col_end - n);
    const float* w0 = g.w + n * g.k;
    const float* w1 = cols > 8 ? w0 + 8 * g.k : w0;  // a missing second panel: compute the first twice
    F bias[2] = {splat(0.0f), splat(0.0f)};
    if (g.bias) {
      bias[0] = load(g.bias + n);
      bias[1] = load(g.bias + n + kLanes);
    }
    for (std::size_t m = 0; m < g.rows; m += kGemmRows) {
      const std::size_t rows = smaller(kGemmRows, g.rows - m);
      product(rows, g.x + m * g.ldx, g.ldx, w0, w1, 8, g.k, tile, kTileColumns);
      const Target target{
          g.y + m * g.ldy + n, g.residual ? g.residual + m * g.ldr + n : nullptr, g.ldy, g.ldr, rows, cols};
      finish(target, g.activation, [&](std::size_t r, std::size_t half) POTSTILL_INLINE {
        return add(load(tile + r * kTileColumns + half * kLanes), bias[half]);
      });
    }
  }
}

}  // namespace
}  // namespace potstill::kernels
