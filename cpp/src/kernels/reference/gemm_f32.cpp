#include <cmath>

#include "kernels/reference/math.h"
#include "kernels/this_set.h"

namespace potstill::kernels::reference {

void gemm_f32(const GemmF32& g) {
  for (std::size_t m = 0; m < g.rows; ++m) {
    const float* x = g.x + m * g.ldx;
    for (std::size_t n = g.col_begin; n < g.col_end; ++n) {
      const float* w = g.w + (n / 8) * g.k * 8 + n % 8;
      float acc = 0.0f;
      for (std::size_t k = 0; k < g.k; ++k) acc = std::fma(x[k], w[k * 8], acc);
      float y = activate(acc + (g.bias ? g.bias[n] : 0.0f), g.activation);
      if (g.residual) y = y + g.residual[m * g.ldr + n];
      g.y[m * g.ldy + n] = y;
    }
  }
}

}  // namespace potstill::kernels::reference
