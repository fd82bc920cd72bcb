#include "kernels/avx512vnni/vec.h"
// vec.h first: the code in simd/ is written with its types.
#include "kernels/sets.h"
#include "kernels/simd/attention_head.h"

namespace potstill::kernels::avx512vnni {

void attention_head(const AttentionHead& a) { attention_head_simd(a); }

}  // namespace potstill::kernels::avx512vnni
