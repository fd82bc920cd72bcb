// int8 weights, 16 k columns a step.  `Step` is the set's arithmetic on 16 products in four sums:
//   Start, start(s, a, w)  the first step's sums (Start: made once a tile)
//   run(acc, a, w)         acc += the products
//   kHalf, half(acc, a, w) a rest of 8 columns, where that is cheaper than a whole step
// Include neon/vec.h first.
#pragma once

#include "kernels/simd/neon_dot.h"

namespace potstill::kernels {
namespace {

template <class Step>
struct NeonI8 {
  static constexpr std::size_t kStep = 16, kStepBytes = 64;
  static constexpr int kShift = 0;

  template <std::size_t R>
  POTSTILL_INLINE static void steps(W (&acc)[R][4], const int8_t* x, std::size_t ldx, const int8_t* w, std::size_t k) {
    const bool half = Step::kHalf && k > 16 && (k - 1) % 16 < 8;
    const int8_t* end = w + (k + (half ? 0 : 15)) / 16 * 64;
    {
      const typename Step::Start start;
      const int8x16_t w0 = vld1q_s8(w), w1 = vld1q_s8(w + 16), w2 = vld1q_s8(w + 32), w3 = vld1q_s8(w + 48);
      unroll<R>([&](auto r) POTSTILL_INLINE {
        const int8x16_t a = vld1q_s8(x + r * ldx);
        acc[r][0] = start.template run < r % 2 == 0 > (a, w0);
        acc[r][1] = start.template run < r % 2 == 0 > (a, w1);
        acc[r][2] = start.template run < r % 2 == 0 > (a, w2);
        acc[r][3] = start.template run < r % 2 == 0 > (a, w3);
      });
    }
    for (w += 64, x += 16; w != end; w += 64, x += 16) {
      const int8x16_t w0 = vld1q_s8(w), w1 = vld1q_s8(w + 16), w2 = vld1q_s8(w + 32), w3 = vld1q_s8(w + 48);
      unroll<R>([&](auto r) POTSTILL_INLINE {
        const int8x16_t a = vld1q_s8(x + r * ldx);
        acc[r][0] = Step::run(acc[r][0], a, w0);
        acc[r][1] = Step::run(acc[r][1], a, w1);
        acc[r][2] = Step::run(acc[r][2], a, w2);
        acc[r][3] = Step::run(acc[r][3], a, w3);
      });
    }
    if (half) {
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
