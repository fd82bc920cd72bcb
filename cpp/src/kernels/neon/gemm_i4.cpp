#include "kernels/neon/vec.h"
// vec.h first: the code in simd/ is written with its types.
#include "kernels/simd/neon_i4.h"
#include "kernels/this_set.h"

namespace potstill::kernels::neon {
namespace {

// Four products share an int16 lane: at most 4 * 128 * 8 = 4096.  The shifts run on the vector pipe that does not
// multiply.
struct Step {
  struct Start {
    POTSTILL_INLINE W zero() const { return vdupq_n_s32(0); }
  };
  static constexpr int kShift = 0;
  POTSTILL_INLINE static int8x16_t first(int8x16_t b) { return vshrq_n_s8(vshlq_n_s8(b, 4), 4); }
  POTSTILL_INLINE static int8x16_t second(int8x16_t b) { return vshrq_n_s8(b, 4); }
  POTSTILL_INLINE static W run(W acc, int8x16_t a0, int8x16_t w0, int8x16_t a1, int8x16_t w1) {
    int16x8_t sum = vmull_s8(vget_low_s8(a0), vget_low_s8(w0));
    sum = vmlal_high_s8(sum, a0, w0);
    sum = vmlal_s8(sum, vget_low_s8(a1), vget_low_s8(w1));
    return vpadalq_s16(acc, vmlal_high_s8(sum, a1, w1));
  }
};

}  // namespace

void gemm_i4(const GemmI8& a) { gemm_i8_neon<NeonI4<Step>>(a); }

}  // namespace potstill::kernels::neon
