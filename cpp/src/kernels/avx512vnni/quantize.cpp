#include "kernels/avx512vnni/vec.h"
// vec.h first: the code in simd/ is written with its types.
#include "kernels/sets.h"
#include "kernels/simd/quantize.h"

namespace potstill::kernels::avx512vnni {

void quantize_symmetric(const QuantizeRows& a) { quantize_symmetric_simd(a); }
void quantize_asymmetric(const QuantizeRows& a) { quantize_asymmetric_simd(a); }

}  // namespace potstill::kernels::avx512vnni
