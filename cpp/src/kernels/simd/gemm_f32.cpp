// Columns outer (16 columns of weights stay in the cache), rows inner.
#include "kernels/simd/finish.h"
#include "kernels/simd/product.h"
#include "kernels/this_set.h"

namespace potstill::kernels::POTSTILL_KERNEL_SET {

void gemm_f32(const GemmF32& g) {
  for (std::size_t n = g.col_begin; n < g.col_end; n += 16) {
    const std::size_t cols = smaller(16, g.col_end - n);
    const float* w0 = g.w + n * g.k;
    const float* w1 = cols > 8 ? w0 + 8 * g.k : w0;  // a missing second panel: compute the first twice
    const V16 bias = g.bias ? load16(g.bias + n) : splat_as<V16>(0.0f);
    for (std::size_t m = 0; m < g.rows; m += kGemmRows) {
      const Target target{g.y + m * g.ldy + n, g.residual ? g.residual + m * g.ldr + n : nullptr, g.ldy, g.ldr, cols};
      with_rows(smaller(kGemmRows, g.rows - m), [&](auto rows) POTSTILL_INLINE {
        constexpr std::size_t R = rows.value;
        V acc[R][kVectors16];
        product_rows<R, kVectors16>(
            g.x + m * g.ldx, g.ldx, g.k,
            [&](std::size_t i, V(&column)[kVectors16])
                POTSTILL_INLINE { load_columns(w0 + i * 8, w1 + i * 8, column); },
            acc);
        alignas(64) float tile[R * 16];
        unroll<R>([&](auto r) POTSTILL_INLINE {
          unroll<kVectors16>([&](auto c) POTSTILL_INLINE { store(tile + r * 16 + c * kLanes, acc[r][c]); });
        });
        with_activation(g.activation, [&](auto a) POTSTILL_INLINE {
          for (std::size_t r = 0; r < R; ++r) {
            finish<static_cast<Activation>(a.value), 1, kVectors16>(target, r, add(load16(tile + r * 16), bias));
          }
        });
      });
    }
  }
}

}  // namespace potstill::kernels::POTSTILL_KERNEL_SET
