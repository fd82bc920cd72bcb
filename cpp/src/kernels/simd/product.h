// Products of up to kGemmRows rows with up to 16 columns into memory.  Include a set's vec.h first.
#pragma once

#include "kernels/simd/math.h"

namespace potstill::kernels {
namespace {

// Calls body(Index<rows>) for 1 <= rows <= kGemmRows.
template <std::size_t R = kGemmRows, class Body>
POTSTILL_INLINE inline void with_rows(std::size_t rows, const Body& body) {
  if constexpr (R > 1) {
    if (rows != R) return with_rows<R - 1>(rows, body);
  }
  body(Index<R>{});
}

template <std::size_t R, std::size_t C>
inline void product_block(const float* a, std::size_t lda, const float* b, std::size_t ldb, std::size_t k, float* out,
                          std::size_t ldo) {
  V acc[R][C];
  product_rows<R, C>(
      a, lda, k,
      [&](std::size_t i, V(&column)[C])
          POTSTILL_INLINE { unroll<C>([&](auto c) POTSTILL_INLINE { column[c] = load(b + i * ldb + c * kLanes); }); },
      acc);
  unroll<R>([&](auto r) POTSTILL_INLINE {
    unroll<C>([&](auto c) POTSTILL_INLINE { store(out + r * ldo + c * kLanes, acc[r][c]); });
  });
}

// out[r, 0..cols) = a[r] * b, for 1 <= rows <= kGemmRows and 1 <= cols <= 16; whole vectors of b are read and of out
// written.
template <std::size_t C = kVectors16>
inline void product(std::size_t rows, std::size_t cols, const float* a, std::size_t lda, const float* b,
                    std::size_t ldb, std::size_t k, float* out, std::size_t ldo) {
  if constexpr (C > 1) {
    if (cols <= (C - 1) * kLanes) return product<C - 1>(rows, cols, a, lda, b, ldb, k, out, ldo);
  }
  with_rows(rows, [&](auto r) POTSTILL_INLINE { product_block<r.value, C>(a, lda, b, ldb, k, out, ldo); });
}

}  // namespace
}  // namespace potstill::kernels
