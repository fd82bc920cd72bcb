#include "kernels/reference/math.h"
#include "kernels/this_set.h"

namespace potstill::kernels::reference {

void gemm_i8(const GemmI8& g) {
  const std::size_t steps = round_up(g.k, 16) / 16;
  for (std::size_t m = 0; m < g.rows; ++m) {
    const int8_t* x = g.x + m * g.ldx;
    for (std::size_t n = g.col_begin; n < g.col_end; ++n) {
      const int8_t* w = g.w + (n / 4) * steps * 64 + (n % 4) * 16;
      int32_t acc = 0;
      for (std::size_t s = 0; s < steps; ++s) {
        for (std::size_t i = 0; i < 16; ++i) acc += int32_t{x[s * 16 + i]} * int32_t{w[s * 64 + i]};
      }
      finish_integer(g, m, n, acc);
    }
  }
}

}  // namespace potstill::kernels::reference
