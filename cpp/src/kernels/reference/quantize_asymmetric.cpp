#include "kernels/reference/quantize.h"
#include "kernels/this_set.h"

namespace potstill::kernels::reference {

void quantize_asymmetric(const QuantizeRows& a) {
  for (std::size_t m = 0; m < a.rows; ++m) {
    const float* x = activated_row(a, m);
    int8_t* q = a.q + m * a.ldq;
    zero_row(q, a.ldq);
    a.zero[m] = 0;
    if (!all_finite(x, a.k)) {
      a.scale[m] = quiet_nan();
      continue;
    }
    float low = 0.0f, high = 0.0f;
    for (std::size_t i = 0; i < a.k; ++i) {
      low = x[i] < low ? x[i] : low;
      high = x[i] > high ? x[i] : high;
    }
    const float range = high - low;
    if (range < constant::kTiny) {
      a.scale[m] = 0.0f;
      continue;
    }
    a.scale[m] = range / 255.0f;
    const float inverse = 255.0f / range;
    const int32_t zero = clamp_i8(-128 - rne_product(low, inverse));
    a.zero[m] = zero;
    for (std::size_t i = 0; i < a.k; ++i) q[i] = static_cast<int8_t>(clamp_i8(rne_product(x[i], inverse) + zero));
  }
}

}  // namespace potstill::kernels::reference
