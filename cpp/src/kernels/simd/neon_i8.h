// int8 weights, 16 k columns a step.  `Step` gives run(acc, a, w): acc += 16 products in four sums; half(acc, a, w): 8.
// Include neon/vec.h first.
#pragma once

#include "kernels/simd/neon_dot.h"

namespace potstill::kernels {
namespace {

template <class Step>
struct NeonI8 {
  static constexpr std::size_t kStep = 16, kStepBytes = 64;

  template <std::size_t R>
  POTSTILL_INLINE static void steps(W (&acc)[R][4], const int8_t* x, std::size_t ldx, const int8_t* w, std::size_t k) {
    const int8_t* end = w + (k + 7) / 16 * 64;  // a rest of at most 8 columns is half a step
    for (; w != end; w += 64, x += 16) {
      const int8x16_t w0 = vld1q_s8(w), w1 = vld1q_s8(w + 16), w2 = vld1q_s8(w + 32), w3 = vld1q_s8(w + 48);
      unroll<R>([&](auto r) POTSTILL_INLINE {
        const int8x16_t a = vld1q_s8(x + r * ldx);
        acc[r][0] = Step::run(acc[r][0], a, w0);
        acc[r][1] = Step::run(acc[r][1], a, w1);
        acc[r][2] = Step::run(acc[r][2], a, w2);
        acc[r][3] = Step::run(acc[r][3], a, w3);
      });
    }
    if ((k - 1) % 16 < 8) {
      const int8x8_t w0 = vld1_s8(w), w1 = vld1_s8(w + 16), w2 = vld1_s8(w + 32), w3 = vld1_s8(w + 48);
      unroll<R>([&](auto r) POTSTILL_INLINE {
        const int8x8_t a = vld1_s8(x + r * ldx);
        acc[r][0] = Step::half(acc[r][0], a, w0);
        acc[r][1] = Step::half(acc[r][1], a, w1);
        acc[r][2] = Step::half(acc[r][2], a, w2);
        acc[r][3] = Step::half(acc[r][3], a, w3);
      });
    }
  }
};

}  // namespace
}  // namespace potstill::kernels
