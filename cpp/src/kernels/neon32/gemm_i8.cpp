#include "kernels/neon32/gemm.h"
#include "kernels/this_set.h"

namespace potstill::kernels::neon32 {
namespace {

// Two products share an int16 lane: at most 2 * 128 * 127 = 32512, exact.  D loads because GCC 12 spills the halves of
// Q registers here.
struct Dot {
  static constexpr std::size_t kStep = 16;

  template <std::size_t R>
  POTSTILL_INLINE static void step(int32x4_t (&acc)[R][4], const int8_t* x, std::size_t ldx, const int8_t* w) {
    int8x8_t low[R], high[R];
    unroll<R>([&](auto r) POTSTILL_INLINE {
      low[r] = vld1_s8(x + r * ldx);
      high[r] = vld1_s8(x + r * ldx + 8);
    });
    unroll<4>([&](auto c) POTSTILL_INLINE {
      const int8x8_t w_low = vld1_s8(w + 16 * c), w_high = vld1_s8(w + 16 * c + 8);
      unroll<R>([&](auto r) POTSTILL_INLINE {
        acc[r][c] = vpadalq_s16(acc[r][c], vmlal_s8(vmull_s8(low[r], w_low), high[r], w_high));
      });
    });
  }
};

}  // namespace

void gemm_i8(const GemmI8& a) { gemm_neon32<Dot>(a); }

}  // namespace potstill::kernels::neon32
