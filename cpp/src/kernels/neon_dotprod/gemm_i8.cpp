#include "kernels/neon/vec.h"
// vec.h first: the code in simd/ is written with its types.
#include "kernels/sets.h"
#include "kernels/simd/neon_dot.h"

namespace potstill::kernels::neon_dotprod {
namespace {

// sdot: four products into each int32 lane.
struct Step {
  static int32x4_t run(int32x4_t acc, int8x16_t a, int8x16_t w) { return vdotq_s32(acc, a, w); }
};

}  // namespace

void gemm_i8(const GemmI8& a) { gemm_i8_simd<NeonDot<Step>>(a); }

}  // namespace potstill::kernels::neon_dotprod
