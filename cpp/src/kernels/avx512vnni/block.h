// Sums of rows x 16 columns with dpbusd, for any way to get at the weights.  Include vec.h first.
#pragma once

#include "kernels/simd/gemm_i8.h"

namespace potstill::kernels {
namespace {

// dpbusd takes u8 x s8: activations get + 128, which adds 128 * colsum to a sum (taken off in the epilogue).
// One zmm of weights is four columns of 16; after the loop each column has four partial sums.
// Weights: kHalves  16-column parts of a step
//          get<half>(p)  the weights at p as s8
//          kShift   bits to shift the sums right by
template <class Weights, std::size_t R, std::size_t P>
inline void vnni_block(const int8_t* x, std::size_t ldx, const int8_t* w, std::size_t steps, int32_t* tile) {
  __m512i acc[R][4];
  unroll<R>([&](auto r)
                POTSTILL_INLINE { unroll<4>([&](auto p) POTSTILL_INLINE { acc[r][p] = _mm512_setzero_si512(); }); });
  const __m512i sign = _mm512_set1_epi8(-128);
  for (std::size_t s = 0; s < steps; ++s) {
    unroll<Weights::kHalves>([&](auto half) POTSTILL_INLINE {
      __m512i weights[P];
      unroll<P>([&](auto p) POTSTILL_INLINE { weights[p] = Weights::template get<half>(w + (p * steps + s) * 64); });
      unroll<R>([&](auto r) POTSTILL_INLINE {
        const __m128i row =
            _mm_loadu_si128(reinterpret_cast<const __m128i*>(x + r * ldx + (s * Weights::kHalves + half) * 16));
        const __m512i a = _mm512_xor_si512(_mm512_broadcast_i32x4(row), sign);
        unroll<P>([&](auto p) POTSTILL_INLINE { acc[r][p] = _mm512_dpbusd_epi32(acc[r][p], a, weights[p]); });
      });
    });
  }
  // Lane l of `sums` holds column l of panels 0..3; the permutation puts panel p's columns at 4 p.
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  unroll<R>([&](auto r) POTSTILL_INLINE {
    const __m512i h01 =
        _mm512_add_epi32(_mm512_unpacklo_epi32(acc[r][0], acc[r][1]), _mm512_unpackhi_epi32(acc[r][0], acc[r][1]));
    const __m512i h23 =
        _mm512_add_epi32(_mm512_unpacklo_epi32(acc[r][2], acc[r][3]), _mm512_unpackhi_epi32(acc[r][2], acc[r][3]));
    __m512i sums = _mm512_add_epi32(_mm512_unpacklo_epi64(h01, h23), _mm512_unpackhi_epi64(h01, h23));
    if constexpr (Weights::kShift != 0) sums = _mm512_srai_epi32(sums, Weights::kShift);
    _mm512_store_si512(tile + r * kTileColumns, _mm512_permutexvar_epi32(order, sums));
  });
}

template <class Weights>
struct VnniDot {
  static constexpr std::size_t kRows = 6;  // 24 accumulators + 4 weights + activation + constant of 32 registers
  static constexpr std::size_t kStep = 16 * Weights::kHalves, kStepBytes = 64;
  static constexpr int32_t kOffset = 128;

  template <std::size_t P>
  static void rows_of(std::size_t rows, const int8_t* x, std::size_t ldx, const int8_t* w, std::size_t steps,
                      int32_t* tile) {
    with_rows<kRows>(rows, [&](auto r) POTSTILL_INLINE { vnni_block<Weights, r.value, P>(x, ldx, w, steps, tile); });
  }

  static void run(std::size_t rows, const int8_t* x, std::size_t ldx, const int8_t* w, std::size_t steps,
                  std::size_t panels, int32_t* tile) {
    switch (panels) {
      case 1:
        return rows_of<1>(rows, x, ldx, w, steps, tile);
      case 2:
        return rows_of<2>(rows, x, ldx, w, steps, tile);
      case 3:
        return rows_of<3>(rows, x, ldx, w, steps, tile);
      default:
        return rows_of<4>(rows, x, ldx, w, steps, tile);
    }
  }
};

}  // namespace
}  // namespace potstill::kernels
