#include "kernels/reference/math.h"
#include "kernels/this_set.h"

namespace potstill::kernels::reference {

void gemm_i4(const GemmI8& g) {
  const std::size_t steps = round_up(g.k, 32) / 32;
  for (std::size_t m = 0; m < g.rows; ++m) {
    const int8_t* x = g.x + m * g.ldx;
    for (std::size_t n = g.col_begin; n < g.col_end; ++n) {
      const int8_t* w = g.w + (n / 4) * steps * 64 + (n % 4) * 16;
      int32_t acc = 0;
      for (std::size_t s = 0; s < steps; ++s) {
        // One byte at a time, not nibble() for each value: compilers vectorise this (5 times as fast).
        for (std::size_t i = 0; i < 16; ++i) {
          const int32_t byte = int32_t{w[s * 64 + i]}, low = ((byte & 15) ^ 8) - 8, high = byte >> 4;
          acc += int32_t{x[s * 32 + i]} * low + int32_t{x[s * 32 + 16 + i]} * high;
        }
      }
      finish_integer(g, m, n, acc);
    }
  }
}

}  // namespace potstill::kernels::reference
