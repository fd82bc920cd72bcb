#include "kernels/avx512vnni/vec.h"
// vec.h first: the code after it is written with its types.
#include "kernels/avx512vnni/block.h"
#include "kernels/this_set.h"

namespace potstill::kernels::avx512vnni {
namespace {

// The nibbles stay in the high half of their bytes: 16 times the weight, at most 112, taken back by a shift of the sum.
// Both halves come from memory (the line is in L1): registers are all taken by the sums.
struct Weights {
  static constexpr std::size_t kHalves = 2;
  static constexpr int kShift = 4;
  template <std::size_t half>
  POTSTILL_INLINE static __m512i get(const int8_t* w) {
    const __m512i both = _mm512_loadu_si512(w);
    return _mm512_and_si512(half == 0 ? _mm512_slli_epi16(both, 4) : both, _mm512_set1_epi8(-16));
  }
};

}  // namespace

void gemm_i4(const GemmI8& a) { gemm_i8_simd<VnniDot<Weights>>(a); }

}  // namespace potstill::kernels::avx512vnni
