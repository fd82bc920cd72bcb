// The int8 products of NEON: four columns outer (their weights stay in L1), up to four rows inner, the epilogue on the
// sums in their registers.  The set gives `Dot`:
//   kStep, kStepBytes  k columns of a step, bytes of a panel's step
//   steps<R>(acc, x, ldx, w, k)  acc[r][c] += the products, in four partial sums each
// Include neon/vec.h first.
#pragma once

#include "kernels/simd/finish.h"
#include "kernels/simd/product.h"

namespace potstill::kernels {
namespace {

struct PanelColumns {
  W colsum;
  V scale, bias;
};

template <class Dot, std::size_t R>
POTSTILL_INLINE inline void neon_tile(const GemmI8& g, const int8_t* w, std::size_t m, std::size_t n,
                                      const PanelColumns& columns) {
  W acc[R][4];
  unroll<R>([&](auto r) POTSTILL_INLINE { unroll<4>([&](auto c) POTSTILL_INLINE { acc[r][c] = vdupq_n_s32(0); }); });
  Dot::template steps<R>(acc, g.x + m * g.ldx, g.ldx, w, g.k);
  W sums[R];
  unroll<R>([&](auto r) POTSTILL_INLINE {
    sums[r] = vpaddq_s32(vpaddq_s32(acc[r][0], acc[r][1]), vpaddq_s32(acc[r][2], acc[r][3]));
  });
  if (g.row_zero) {
    W zero = vdupq_n_s32(0);
    if constexpr (R == 4) {
      zero = vld1q_s32(g.row_zero + m);
    } else {
      unroll<R>([&](auto r) POTSTILL_INLINE { zero = vld1q_lane_s32(g.row_zero + m + r, zero, r.value); });
    }
    unroll<R>([&](auto r)
                  POTSTILL_INLINE { sums[r] = vmlsq_laneq_s32(sums[r], columns.colsum, zero, int{r.value}); });
  }
  const V scale = load_n(g.row_scale + m, R);
  const Vs<R> value = each<V, R>([&](auto r) POTSTILL_INLINE {
    return fma(to_f(sums[r]), vmulq_laneq_f32(columns.scale, scale, int{r.value}), columns.bias);
  });
  const Target target{g.y + m * g.ldy + n, g.residual ? g.residual + m * g.ldr + n : nullptr, g.ldy, g.ldr,
                      g.col_end - n};
  with_activation(g.activation, [&](auto a) POTSTILL_INLINE {
    finish<static_cast<Activation>(a.value), R, 1>(target, 0, value);
  });
}

template <class Dot>
inline void gemm_i8_neon(const GemmI8& g) {
  const std::size_t panel = round_up(g.k, Dot::kStep) / Dot::kStep * Dot::kStepBytes;
  for (std::size_t n = g.col_begin; n < g.col_end; n += 4) {
    const int8_t* w = g.w + n / 4 * panel;
    const PanelColumns columns{load_i(g.colsum + n), load(g.col_scale + n), g.bias ? load(g.bias + n) : splat(0.0f)};
    std::size_t m = 0;
    for (; m + 4 <= g.rows; m += 4) neon_tile<Dot, 4>(g, w, m, n, columns);
    if (m < g.rows) {
      with_rows<3>(g.rows - m, [&](auto rows) POTSTILL_INLINE { neon_tile<Dot, rows.value>(g, w, m, n, columns); });
    }
  }
}

}  // namespace
}  // namespace potstill::kernels
