#include "kernels/simd/quantize.h"

#include "kernels/this_set.h"

namespace potstill::kernels::POTSTILL_KERNEL_SET {

void quantize_symmetric(const QuantizeRows& a) {
  for (std::size_t m = 0; m < a.rows; ++m) {
    W16 top = each<W, kVectors16>([](auto) POTSTILL_INLINE { return splat_i(0); });
    for_row(a, m, [&](const V16& x) POTSTILL_INLINE { top = max_i(top, bits_of(abs_(x))); });
    const float* x = (a.activated ? a.activated : a.x) + m * a.ldx;
    quantize_symmetric_row(x, a.k, top, a.q + m * a.ldq, a.ldq, a.scale[m]);
  }
}

}  // namespace potstill::kernels::POTSTILL_KERNEL_SET
