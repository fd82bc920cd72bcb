#include "kernels/neon/vec.h"
// vec.h first: the code in simd/ is written with its types.
#include "kernels/simd/neon_i8.h"
#include "kernels/this_set.h"

namespace potstill::kernels::neon {
namespace {

// Two products share an int16 lane: at most 2 * 128 * 127 = 32512, exact; then pairs are added into int32.
// The multiplier is the limit on Cortex-A72 (one of its two vector pipes), so half a step is worth its own code.
struct Step {
  struct Start {
    template <bool>
    POTSTILL_INLINE W run(int8x16_t a, int8x16_t w) const {
      return vpaddlq_s16(vmlal_high_s8(vmull_s8(vget_low_s8(a), vget_low_s8(w)), a, w));
    }
  };
  static constexpr bool kHalf = true;
  POTSTILL_INLINE static W run(W acc, int8x16_t a, int8x16_t w) {
    const int16x8_t low = vmull_s8(vget_low_s8(a), vget_low_s8(w));
    return vpadalq_s16(acc, vmlal_high_s8(low, a, w));
  }
  POTSTILL_INLINE static W half(W acc, int8x8_t a, int8x8_t w) { return vpadalq_s16(acc, vmull_s8(a, w)); }
};

}  // namespace

void gemm_i8(const GemmI8& a) { gemm_i8_neon<NeonI8<Step>>(a); }

}  // namespace potstill::kernels::neon
