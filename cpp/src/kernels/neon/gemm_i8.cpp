#include "kernels/neon/vec.h"
// vec.h first: the code in simd/ is written with its types.
#include "kernels/sets.h"
#include "kernels/simd/neon_dot.h"

namespace potstill::kernels::neon {
namespace {

// Two products share an int16 lane: at most 2 * 128 * 127 = 32512, exact; then pairs are added into int32.
struct Step {
  static int32x4_t run(int32x4_t acc, int8x16_t a, int8x16_t w) {
    const int16x8_t low = vmull_s8(vget_low_s8(a), vget_low_s8(w));
    const int16x8_t both = vmlal_high_s8(low, a, w);
    return vpadalq_s16(acc, both);
  }
};

}  // namespace

void gemm_i8(const GemmI8& a) { gemm_i8_simd<NeonDot<Step>>(a); }

}  // namespace potstill::kernels::neon
