#include "kernels/avx512vnni/vec.h"
// vec.h first: the code after it is written with its types.
#include "kernels/avx512vnni/block.h"
#include "kernels/this_set.h"

namespace potstill::kernels::avx512vnni {
namespace {

struct Weights {
  static constexpr std::size_t kHalves = 1;
  static constexpr int kShift = 0;
  template <std::size_t>
  POTSTILL_INLINE static __m512i get(const int8_t* w) {
    return _mm512_loadu_si512(w);
  }
};

}  // namespace

void gemm_i8(const GemmI8& a) { gemm_i8_simd<VnniDot<Weights>>(a); }

}  // namespace potstill::kernels::avx512vnni
