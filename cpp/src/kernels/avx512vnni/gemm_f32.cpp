#include "kernels/avx512vnni/vec.h"
// vec.h first: the code in simd/ is written with its types.
#include "kernels/sets.h"
#include "kernels/simd/gemm_f32.h"

namespace potstill::kernels::avx512vnni {

void gemm_f32(const GemmF32& a) { gemm_f32_simd(a); }

}  // namespace potstill::kernels::avx512vnni
