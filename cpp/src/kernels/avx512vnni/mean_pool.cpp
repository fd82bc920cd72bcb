#include "kernels/avx512vnni/vec.h"
// vec.h first: the code in simd/ is written with its types.
#include "kernels/sets.h"
#include "kernels/simd/mean_pool.h"

namespace potstill::kernels::avx512vnni {

void mean_pool(const MeanPool& a) { mean_pool_simd(a); }

}  // namespace potstill::kernels::avx512vnni
