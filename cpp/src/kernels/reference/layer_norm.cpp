#include <cmath>

#include "kernels/reference/math.h"
#include "kernels/this_set.h"

namespace potstill::kernels::reference {

void layer_norm(const LayerNorm& a) {
  const float count = static_cast<float>(a.n);
  for (std::size_t m = 0; m < a.rows; ++m) {
    const float* x = a.x + m * a.ldx;
    float* y = a.y + m * a.ldy;
    RowSum sum, squares;
    for (std::size_t i = 0; i < a.n; ++i) sum.add(i, x[i]);
    const float mean = sum.total() / count;
    for (std::size_t i = 0; i < a.n; ++i) squares.add_square(i, x[i] - mean);
    const float inverse = 1.0f / std::sqrt(squares.total() / count + a.eps);
    for (std::size_t i = 0; i < a.n; ++i) y[i] = std::fma((x[i] - mean) * inverse, a.gamma[i], a.beta[i]);
  }
  if (a.q) quantize_symmetric({a.y, a.ldy, a.q, a.ldq, a.q_scale, nullptr, a.rows, a.n});
}

}  // namespace potstill::kernels::reference
