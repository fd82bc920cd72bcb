// The tile loop of both NEON int8 products.  `Step` gives acc += the 16 products of two registers, in four partial
// sums. Include neon/vec.h first.
#pragma once

#include "kernels/simd/gemm_i8.h"

namespace potstill::kernels {
namespace {

template <class Step, std::size_t R>
inline void neon_panel(const int8_t* x, std::size_t ldx, const int8_t* w, std::size_t steps, int32_t* tile) {
  int32x4_t acc[R][4];
  unroll<R>([&](auto r) POTSTILL_INLINE { unroll<4>([&](auto c) POTSTILL_INLINE { acc[r][c] = vdupq_n_s32(0); }); });
  for (std::size_t s = 0; s < steps; ++s, w += 64) {
    const int8x16_t w0 = vld1q_s8(w), w1 = vld1q_s8(w + 16), w2 = vld1q_s8(w + 32), w3 = vld1q_s8(w + 48);
    unroll<R>([&](auto r) POTSTILL_INLINE {
      const int8x16_t a = vld1q_s8(x + r * ldx + s * 16);
      acc[r][0] = Step::run(acc[r][0], a, w0);
      acc[r][1] = Step::run(acc[r][1], a, w1);
      acc[r][2] = Step::run(acc[r][2], a, w2);
      acc[r][3] = Step::run(acc[r][3], a, w3);
    });
  }
  unroll<R>([&](auto r) POTSTILL_INLINE {
    const int32x4_t sums = vpaddq_s32(vpaddq_s32(acc[r][0], acc[r][1]), vpaddq_s32(acc[r][2], acc[r][3]));
    vst1q_s32(tile + r * kTileColumns, sums);
  });
}

template <class Step>
struct NeonDot {
  static constexpr std::size_t kRows = 4;  // 16 accumulators + 4 weights + activation + products of 32 registers
  static constexpr int32_t kOffset = 0;

  static void run(std::size_t rows, const int8_t* x, std::size_t ldx, const int8_t* w, std::size_t steps,
                  std::size_t panels, int32_t* tile) {
    for (std::size_t p = 0; p < panels; ++p, w += steps * 64, tile += 4) {
      switch (rows) {
        case 1:
          neon_panel<Step, 1>(x, ldx, w, steps, tile);
          break;
        case 2:
          neon_panel<Step, 2>(x, ldx, w, steps, tile);
          break;
        case 3:
          neon_panel<Step, 3>(x, ldx, w, steps, tile);
          break;
        default:
          neon_panel<Step, 4>(x, ldx, w, steps, tile);
          break;
      }
    }
  }
};

}  // namespace
}  // namespace potstill::kernels
