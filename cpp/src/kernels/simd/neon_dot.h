// The integer products of NEON: four columns outer (their weights stay in L1), up to four rows inner, the epilogue on
// the sums in their registers.  The set gives `Dot`:
//   kStep, kStepBytes  k columns of a step, bytes of a panel's step
//   kShift             bits to shift the sums right by
//   steps<R>(acc, x, ldx, w, k)  acc[r][c] = the products, in four partial sums each
// Include neon/vec.h first.
#pragma once

#include "kernels/simd/finish.h"
#include "kernels/simd/product.h"

namespace potstill::kernels {
namespace {

// What is done with the sums.  The epilogues an encoder needs are known when its tile is compiled: straight code, which
// runs beside the products of the next tile; any other is `Any`, decided tile by tile.
template <Activation A, bool kZero, bool kResidual>
struct Known {
  static bool zero(const GemmI8&) { return kZero; }
  static bool residual(const GemmI8&) { return kResidual; }
  template <class Body>
  POTSTILL_INLINE static void activation(const GemmI8&, const Body& body) {
    body(Index<static_cast<std::size_t>(A)>{});
  }
};
struct Any {
  static bool zero(const GemmI8& g) { return g.row_zero != nullptr; }
  static bool residual(const GemmI8& g) { return g.residual != nullptr; }
  template <class Body>
  POTSTILL_INLINE static void activation(const GemmI8& g, const Body& body) {
    with_activation(g.activation, body);
  }
};

struct Panel {
  const int8_t* w;
  std::size_t n;
  W colsum;
  V scale;
  const float* bias;  // four lanes
};

template <class Dot, class Epilogue, std::size_t R>
POTSTILL_INLINE inline void neon_tile(const GemmI8& g, const Panel& p, std::size_t m, std::size_t cols) {
  W acc[R][4];
  Dot::template steps<R>(acc, g.x + m * g.ldx, g.ldx, p.w, g.k);
  W sums[R];
  unroll<R>([&](auto r) POTSTILL_INLINE {
    sums[r] = vpaddq_s32(vpaddq_s32(acc[r][0], acc[r][1]), vpaddq_s32(acc[r][2], acc[r][3]));
    if constexpr (Dot::kShift != 0) sums[r] = vshrq_n_s32(sums[r], Dot::kShift);
  });
  if (Epilogue::zero(g)) {
    W zero = vdupq_n_s32(0);
    if constexpr (R == 4) {
      zero = vld1q_s32(g.row_zero + m);
    } else {
      unroll<R>([&](auto r) POTSTILL_INLINE { zero = vld1q_lane_s32(g.row_zero + m + r, zero, int{r.value}); });
    }
    unroll<R>([&](auto r) POTSTILL_INLINE { sums[r] = vmlsq_laneq_s32(sums[r], p.colsum, zero, int{r.value}); });
  }
  const V scale = load_n(g.row_scale + m, R);
  const Vs<R> value = each<V, R>([&](auto r) POTSTILL_INLINE {
    return fma(to_f(sums[r]), vmulq_laneq_f32(p.scale, scale, int{r.value}), Addend{p.bias});
  });
  const Target target{g.y + m * g.ldy + p.n, Epilogue::residual(g) ? g.residual + m * g.ldr + p.n : nullptr, g.ldy,
                      g.ldr, cols};
  Epilogue::activation(
      g, [&](auto a) POTSTILL_INLINE { finish<static_cast<Activation>(a.value), R, 1>(target, 0, value); });
}

template <class Dot>
[[gnu::noinline]] inline void neon_rest(const GemmI8& g, const Panel& p, std::size_t m) {
  for (; m < g.rows; m += 4) {
    with_rows<4>(smaller(4, g.rows - m),
                 [&](auto rows) POTSTILL_INLINE { neon_tile<Dot, Any, rows.value>(g, p, m, g.col_end - p.n); });
  }
}

template <class Dot, class Epilogue>
inline void neon_columns(const GemmI8& g) {
  alignas(16) static const float kNoBias[4] = {};
  const std::size_t panel = round_up(g.k, Dot::kStep) / Dot::kStep * Dot::kStepBytes;
  for (std::size_t n = g.col_begin; n < g.col_end; n += 4) {
    const Panel p{g.w + n / 4 * panel, n, load_i(g.colsum + n), load(g.col_scale + n), g.bias ? g.bias + n : kNoBias};
    std::size_t m = 0;
    if (n + 4 <= g.col_end) {
      for (; m + 4 <= g.rows; m += 4) neon_tile<Dot, Epilogue, 4>(g, p, m, 4);
    }
    if (m < g.rows) neon_rest<Dot>(g, p, m);
  }
}

template <class Dot>
inline void gemm_i8_neon(const GemmI8& g) {
  const bool zero = g.row_zero != nullptr, residual = g.residual != nullptr;
  if (g.activation == Activation::None) {
    if (!zero && !residual) return neon_columns<Dot, Known<Activation::None, false, false>>(g);
    if (!zero && residual) return neon_columns<Dot, Known<Activation::None, false, true>>(g);
    if (zero && residual) return neon_columns<Dot, Known<Activation::None, true, true>>(g);
  }
  if (g.activation == Activation::GeluPoly && !zero && !residual) {
    return neon_columns<Dot, Known<Activation::GeluPoly, false, false>>(g);
  }
  neon_columns<Dot, Any>(g);
}

}  // namespace
}  // namespace potstill::kernels
