#include "kernels/reference/quantize.h"
#include "kernels/this_set.h"

namespace potstill::kernels::reference {

void quantize_symmetric(const QuantizeRows& a) {
  for (std::size_t m = 0; m < a.rows; ++m) {
    const float* x = activated_row(a, m);
    int8_t* q = a.q + m * a.ldq;
    zero_row(q, a.ldq);
    if (!all_finite(x, a.k)) {
      a.scale[m] = quiet_nan();
      continue;
    }
    float high = 0.0f;
    for (std::size_t i = 0; i < a.k; ++i) high = std::fabs(x[i]) > high ? std::fabs(x[i]) : high;
    if (high < constant::kTiny) {
      a.scale[m] = 0.0f;
      continue;
    }
    a.scale[m] = high / 127.0f;
    const float inverse = 127.0f / high;
    for (std::size_t i = 0; i < a.k; ++i) q[i] = static_cast<int8_t>(rne_product(x[i], inverse));
  }
}

}  // namespace potstill::kernels::reference
