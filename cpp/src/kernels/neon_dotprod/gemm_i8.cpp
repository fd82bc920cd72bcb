#include "kernels/neon/vec.h"
// vec.h first: the code in simd/ is written with its types.
#include "kernels/neon_dotprod/zero_sums.h"
#include "kernels/simd/neon_i8.h"
#include "kernels/this_set.h"

namespace potstill::kernels::neon_dotprod {
namespace {

// sdot: four products into each int32 lane.  Half a step would cost as many instructions as a whole one.
struct Step {
  using Start = ZeroSums;
  static constexpr bool kHalf = false;
  POTSTILL_INLINE static W run(W acc, int8x16_t a, int8x16_t w) { return vdotq_s32(acc, a, w); }
  static W half(W acc, int8x8_t, int8x8_t) { return acc; }
};

}  // namespace

void gemm_i8(const GemmI8& a) { gemm_i8_neon<NeonI8<Step>>(a); }

}  // namespace potstill::kernels::neon_dotprod
