// The part of the int8 product every set shares: loop order and epilogue.  The set gives `Dot`:
//   kRows    rows a tile holds
//   kOffset  what the set adds to each activation; the tile's sums then hold kOffset * colsum more
//   run(rows, x, ldx, w, steps, panels, tile)  int32 sums of rows x (4 * panels) columns into tile [kRows][16]
// Include a set's vec.h first.
#pragma once

#include "kernels/simd/finish.h"
#include "kernels/simd/product.h"

namespace potstill::kernels {
namespace {

template <class Dot>
inline void gemm_i8_simd(const GemmI8& g) {
  const std::size_t steps = round_up(g.k, 16) / 16;
  alignas(64) int32_t tile[Dot::kRows * kTileColumns] = {};  // panels a short block lacks stay zero
  for (std::size_t n = g.col_begin; n < g.col_end; n += kTileColumns) {
    const std::size_t cols = smaller(kTileColumns, g.col_end - n);
    const std::size_t panels = (cols + 3) / 4;
    const int8_t* w = g.w + n * steps * 16;
    const I colsum[2] = {load_i(g.colsum + n), load_i(g.colsum + n + kLanes)};
    const F scale[2] = {load(g.col_scale + n), load(g.col_scale + n + kLanes)};
    F bias[2] = {splat(0.0f), splat(0.0f)};
    if (g.bias) {
      bias[0] = load(g.bias + n);
      bias[1] = load(g.bias + n + kLanes);
    }
    for (std::size_t m = 0; m < g.rows; m += Dot::kRows) {
      const std::size_t rows = smaller(Dot::kRows, g.rows - m);
      Dot::run(rows, g.x + m * g.ldx, g.ldx, w, steps, panels, tile);
      const Target target{
          g.y + m * g.ldy + n, g.residual ? g.residual + m * g.ldr + n : nullptr, g.ldy, g.ldr, rows, cols};
      const float* row_scale = g.row_scale + m;
      const int32_t* row_zero = g.row_zero ? g.row_zero + m : nullptr;
      finish(target, g.activation, [&](std::size_t r, std::size_t half) POTSTILL_INLINE {
        I sum = load_i(tile + r * kTileColumns + half * kLanes);
        if (row_zero || Dot::kOffset != 0) {
          const int32_t zero = Dot::kOffset + (row_zero ? row_zero[r] : 0);
          sum = sub_i(sum, mul_i(splat_i(zero), colsum[half]));
        }
        return fma(to_f(sum), mul(splat(row_scale[r]), scale[half]), bias[half]);
      });
    }
  }
}

}  // namespace
}  // namespace potstill::kernels
