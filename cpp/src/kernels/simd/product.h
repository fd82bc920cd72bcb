// f32 product of a few rows with 16 columns, each output one fma chain over ascending k.  Include a set's vec.h first.
#pragma once

#include "kernels/simd/math.h"
#include "kernels/simd/unroll.h"

namespace potstill::kernels {
namespace {

// a: rows of stride lda; b0, b1: eight columns each, `step` floats from one k to the next; out [R][16], stride ldo.
template <std::size_t R>
inline void product_rows(const float* a, std::size_t lda, const float* b0, const float* b1, std::size_t step,
                         std::size_t k, float* out, std::size_t ldo) {
  F acc0[R], acc1[R];
  unroll<R>([&](auto r) POTSTILL_INLINE { acc0[r] = acc1[r] = splat(0.0f); });
  for (std::size_t i = 0; i < k; ++i) {
    const F c0 = load(b0 + i * step), c1 = load(b1 + i * step);
    unroll<R>([&](auto r) POTSTILL_INLINE {
      const F x = splat(a[r * lda + i]);
      acc0[r] = fma(x, c0, acc0[r]);
      acc1[r] = fma(x, c1, acc1[r]);
    });
  }
  unroll<R>([&](auto r) POTSTILL_INLINE {
    store(out + r * ldo, acc0[r]);
    store(out + r * ldo + kLanes, acc1[r]);
  });
}

// The same for 1 <= rows <= kGemmRows.
inline void product(std::size_t rows, const float* a, std::size_t lda, const float* b0, const float* b1,
                    std::size_t step, std::size_t k, float* out, std::size_t ldo) {
  static_assert(kGemmRows == 6);
  switch (rows) {
    case 1:
      return product_rows<1>(a, lda, b0, b1, step, k, out, ldo);
    case 2:
      return product_rows<2>(a, lda, b0, b1, step, k, out, ldo);
    case 3:
      return product_rows<3>(a, lda, b0, b1, step, k, out, ldo);
    case 4:
      return product_rows<4>(a, lda, b0, b1, step, k, out, ldo);
    case 5:
      return product_rows<5>(a, lda, b0, b1, step, k, out, ldo);
    default:
      return product_rows<6>(a, lda, b0, b1, step, k, out, ldo);
  }
}

inline std::size_t smaller(std::size_t a, std::size_t b) { return a < b ? a : b; }

}  // namespace
}  // namespace potstill::kernels
