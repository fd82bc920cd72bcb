#include "kernels/avx512vnni/vec.h"
// vec.h first: the code in simd/ is written with its types.
#include "kernels/sets.h"
#include "kernels/simd/layer_norm.h"

namespace potstill::kernels::avx512vnni {

void layer_norm(const LayerNorm& a) { layer_norm_simd(a); }

}  // namespace potstill::kernels::avx512vnni
