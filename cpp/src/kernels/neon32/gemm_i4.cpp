#include "kernels/neon32/gemm.h"
#include "kernels/this_set.h"

namespace potstill::kernels::neon32 {
namespace {

// Four products share an int16 lane: at most 4 * 128 * 7 = 3584.
struct Dot {
  static constexpr std::size_t kStep = 32;

  template <std::size_t R>
  POTSTILL_INLINE static void step(int32x4_t (&acc)[R][4], const int8_t* x, std::size_t ldx, const int8_t* w) {
    unroll<4>([&](auto c) POTSTILL_INLINE {
      const int8x8_t low = vld1_s8(w + 16 * c), high = vld1_s8(w + 16 * c + 8);
      const int8x8_t w0 = vshr_n_s8(vshl_n_s8(low, 4), 4), w1 = vshr_n_s8(vshl_n_s8(high, 4), 4);
      const int8x8_t w2 = vshr_n_s8(low, 4), w3 = vshr_n_s8(high, 4);
      unroll<R>([&](auto r) POTSTILL_INLINE {
        const int8_t* p = x + r * ldx;
        int16x8_t sum = vmull_s8(vld1_s8(p), w0);
        sum = vmlal_s8(sum, vld1_s8(p + 8), w1);
        sum = vmlal_s8(sum, vld1_s8(p + 16), w2);
        acc[r][c] = vpadalq_s16(acc[r][c], vmlal_s8(sum, vld1_s8(p + 24), w3));
      });
    });
  }
};

}  // namespace

void gemm_i4(const GemmI8& a) { gemm_neon32<Dot>(a); }

}  // namespace potstill::kernels::neon32
