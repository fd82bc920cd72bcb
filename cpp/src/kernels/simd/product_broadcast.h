// f32 product of R rows with C vectors of columns, each output one fma chain over ascending k: rows broadcast from
// memory (x86).
#pragma once

#include "kernels/simd/unroll.h"

namespace potstill::kernels {
namespace {

// a: rows of stride lda; columns(i, c) gives the C vectors of step i.
template <std::size_t R, std::size_t C, class Columns>
POTSTILL_INLINE inline void product_rows(const float* a, std::size_t lda, std::size_t k, const Columns& columns,
                                         V (&acc)[R][C]) {
  unroll<R>([&](auto r) POTSTILL_INLINE { unroll<C>([&](auto c) POTSTILL_INLINE { acc[r][c] = splat(0.0f); }); });
  for (std::size_t i = 0; i < k; ++i) {
    V column[C];
    columns(i, column);
    unroll<R>([&](auto r) POTSTILL_INLINE {
      const V x = splat(a[r * lda + i]);
      unroll<C>([&](auto c) POTSTILL_INLINE { acc[r][c] = fma(x, column[c], acc[r][c]); });
    });
  }
}

}  // namespace
}  // namespace potstill::kernels
