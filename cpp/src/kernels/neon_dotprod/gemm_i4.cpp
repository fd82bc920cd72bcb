#include "kernels/neon/vec.h"
// vec.h first: the code in simd/ is written with its types.
#include "kernels/neon_dotprod/zero_sums.h"
#include "kernels/simd/neon_i4.h"
#include "kernels/this_set.h"

namespace potstill::kernels::neon_dotprod {
namespace {

// The nibbles stay in the high half of their bytes: 16 times the weight, taken back by a shift of the sum.
struct Step {
  using Start = ZeroSums;
  static constexpr int kShift = 4;
  POTSTILL_INLINE static int8x16_t first(int8x16_t b) { return vshlq_n_s8(b, 4); }
  POTSTILL_INLINE static int8x16_t second(int8x16_t b) { return vandq_s8(b, vdupq_n_s8(-16)); }
  POTSTILL_INLINE static W run(W acc, int8x16_t a0, int8x16_t w0, int8x16_t a1, int8x16_t w1) {
    return vdotq_s32(vdotq_s32(acc, a0, w0), a1, w1);
  }
};

}  // namespace

void gemm_i4(const GemmI8& a) { gemm_i8_neon<NeonI4<Step>>(a); }

}  // namespace potstill::kernels::neon_dotprod
