// f32 product of R rows with C vectors of columns, each output one fma chain over ascending k: four steps of a row are
// one register, multiplied by lane (NEON).  Broadcasting from memory would cost a vector operation on Cortex-A76.
#pragma once

#include "kernels/simd/unroll.h"

namespace potstill::kernels {
namespace {

// a: rows of stride lda; columns(i, c) gives the C vectors of step i.
template <std::size_t R, std::size_t C, class Columns>
POTSTILL_INLINE inline void product_rows(const float* a, std::size_t lda, std::size_t k, const Columns& columns,
                                         V (&acc)[R][C]) {
  unroll<R>([&](auto r) POTSTILL_INLINE { unroll<C>([&](auto c) POTSTILL_INLINE { acc[r][c] = splat(0.0f); }); });
  std::size_t i = 0;
  for (; i + 4 <= k; i += 4) {
    V row[R];
    unroll<R>([&](auto r) POTSTILL_INLINE { row[r] = load(a + r * lda + i); });
    unroll<4>([&](auto lane) POTSTILL_INLINE {
      V column[C];
      columns(i + lane, column);
      unroll<C>([&](auto c) POTSTILL_INLINE {
        unroll<R>([&](auto r) POTSTILL_INLINE {
          acc[r][c] = vfmaq_laneq_f32(acc[r][c], column[c], row[r], static_cast<int>(lane.value));
        });
      });
    });
  }
  for (; i < k; ++i) {
    V column[C];
    columns(i, column);
    unroll<R>([&](auto r) POTSTILL_INLINE {
      const V x = vld1q_dup_f32(a + r * lda + i);
      unroll<C>([&](auto c) POTSTILL_INLINE { acc[r][c] = fma(x, column[c], acc[r][c]); });
    });
  }
}

}  // namespace
}  // namespace potstill::kernels
