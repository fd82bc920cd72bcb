// int4 weights, 32 k columns a step: decoded in registers.  `Step` is the set's arithmetic:
//   kShift               bits to shift the sums right by
//   first(b), second(b)  the low and the high nibbles as int8
//   run(acc, a0, w0, a1, w1)  acc += 32 products in four sums
//   Start::zero()        sums to start from
// Include neon/vec.h first.
#pragma once

#include "kernels/simd/neon_dot.h"

namespace potstill::kernels {
namespace {

template <class Step>
struct NeonI4 {
  static constexpr std::size_t kStep = 32, kStepBytes = 64;
  static constexpr int kShift = Step::kShift;

  template <std::size_t R>
  POTSTILL_INLINE static void steps(W (&acc)[R][4], const int8_t* x, std::size_t ldx, const int8_t* w, std::size_t k) {
    const typename Step::Start start;
    unroll<R>([&](auto r) POTSTILL_INLINE { unroll<4>([&](auto c) POTSTILL_INLINE { acc[r][c] = start.zero(); }); });
    const int8_t* end = w + round_up(k, 32) * 2;
    for (; w != end; w += 64, x += 32) {
      int8x16_t a0[R], a1[R];
      unroll<R>([&](auto r) POTSTILL_INLINE {
        a0[r] = vld1q_s8(x + r * ldx);
        a1[r] = vld1q_s8(x + r * ldx + 16);
      });
      unroll<4>([&](auto c) POTSTILL_INLINE {
        const int8x16_t both = vld1q_s8(w + 16 * c);
        const int8x16_t w0 = Step::first(both), w1 = Step::second(both);
        unroll<R>([&](auto r) POTSTILL_INLINE { acc[r][c] = Step::run(acc[r][c], a0[r], w0, a1[r], w1); });
      });
    }
  }
};

}  // namespace
}  // namespace potstill::kernels
