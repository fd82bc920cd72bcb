#include "kernels/neon/vec.h"
// vec.h first: the code in simd/ is written with its types.
#include "kernels/sets.h"
#include "kernels/simd/neon_i8.h"

namespace potstill::kernels::neon_dotprod {
namespace {

// sdot: four products into each int32 lane.
struct Step {
  POTSTILL_INLINE static W run(W acc, int8x16_t a, int8x16_t w) { return vdotq_s32(acc, a, w); }
  POTSTILL_INLINE static W half(W acc, int8x8_t a, int8x8_t w) {
    return vdotq_s32(acc, vcombine_s8(a, vdup_n_s8(0)), vcombine_s8(w, vdup_n_s8(0)));
  }
};

}  // namespace

void gemm_i8(const GemmI8& a) { gemm_i8_neon<NeonI8<Step>>(a); }

}  // namespace potstill::kernels::neon_dotprod
