// 32-bit Arm: sums in NEON, epilogue in scalar VFP code (32-bit NEON flushes f32 denormals, VFP does not).
#include <arm_neon.h>

#include <cmath>

#include "kernels/reference/math.h"
#include "kernels/sets.h"
#include "kernels/simd/unroll.h"

namespace potstill::kernels::neon32 {
namespace {

using reference::activate;

// Rows x one panel of four columns.  16 registers: 8 sums, a column, two rows, products.  D loads because GCC 12 spills
// the halves of Q registers here.
template <std::size_t R>
inline void panel(const int8_t* x, std::size_t ldx, const int8_t* w, std::size_t steps, int32_t* tile) {
  int32x4_t acc[R][4];
  unroll<R>([&](auto r) POTSTILL_INLINE { unroll<4>([&](auto c) POTSTILL_INLINE { acc[r][c] = vdupq_n_s32(0); }); });
  for (std::size_t s = 0; s < steps; ++s, w += 64, x += 16) {
    int8x8_t low[R], high[R];
    unroll<R>([&](auto r) POTSTILL_INLINE {
      low[r] = vld1_s8(x + r * ldx);
      high[r] = vld1_s8(x + r * ldx + 8);
    });
    unroll<4>([&](auto c) POTSTILL_INLINE {
      const int8x8_t w_low = vld1_s8(w + 16 * c), w_high = vld1_s8(w + 16 * c + 8);
      // Two products share an int16 lane: at most 2 * 128 * 127 = 32512, exact.
      unroll<R>([&](auto r) POTSTILL_INLINE {
        acc[r][c] = vpadalq_s16(acc[r][c], vmlal_s8(vmull_s8(low[r], w_low), high[r], w_high));
      });
    });
  }
  unroll<R>([&](auto r) POTSTILL_INLINE {
    int32x2_t half[4];
    unroll<4>([&](auto c) POTSTILL_INLINE { half[c] = vadd_s32(vget_low_s32(acc[r][c]), vget_high_s32(acc[r][c])); });
    vst1q_s32(tile + r * 4, vcombine_s32(vpadd_s32(half[0], half[1]), vpadd_s32(half[2], half[3])));
  });
}

}  // namespace

void gemm_i8(const GemmI8& g) {
  constexpr std::size_t kRows = 2;
  const std::size_t steps = round_up(g.k, 16) / 16;
  int32_t tile[kRows * 4];
  for (std::size_t n = g.col_begin; n < g.col_end; n += 4) {
    const std::size_t cols = g.col_end - n < 4 ? g.col_end - n : 4;
    const int8_t* w = g.w + n * steps * 16;
    for (std::size_t m = 0; m < g.rows; m += kRows) {
      const std::size_t rows = g.rows - m < kRows ? g.rows - m : kRows;
      const int8_t* x = g.x + m * g.ldx;
      rows == kRows ? panel<kRows>(x, g.ldx, w, steps, tile) : panel<1>(x, g.ldx, w, steps, tile);
      for (std::size_t r = 0; r < rows; ++r) {
        const float row_scale = g.row_scale[m + r];
        const int32_t zero = g.row_zero ? g.row_zero[m + r] : 0;
        for (std::size_t c = 0; c < cols; ++c) {
          const int32_t sum = tile[r * 4 + c] - zero * g.colsum[n + c];
          const float bias = g.bias ? g.bias[n + c] : 0.0f;
          float y = std::fma(static_cast<float>(sum), row_scale * g.col_scale[n + c], bias);
          y = activate(y, g.activation);
          if (g.residual) y = y + g.residual[(m + r) * g.ldr + n + c];
          g.y[(m + r) * g.ldy + n + c] = y;
        }
      }
    }
  }
}

}  // namespace potstill::kernels::neon32
