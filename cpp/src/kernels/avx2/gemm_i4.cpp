#include "kernels/avx2/vec.h"
// vec.h first: the code in simd/ is written with its types.
#include "kernels/simd/gemm_i8.h"
#include "kernels/this_set.h"

namespace potstill::kernels::avx2 {
namespace {

// u8 x s8 through maddubs: activations get + 128 (taken off in the epilogue).  A pair sum is at most 2 * 255 * 7 =
// 3570, so both halves of a step add up in int16 before they are widened: 5 operations for 64 products, int8 needs 8.
template <std::size_t R>
inline void panel(const int8_t* x, std::size_t ldx, const int8_t* w, std::size_t steps, int32_t* tile) {
  W low[R], high[R];
  unroll<R>([&](auto r) POTSTILL_INLINE { low[r] = high[r] = _mm256_setzero_si256(); });
  const W ones = _mm256_set1_epi16(1), sign = _mm256_set1_epi8(-128), nibble = _mm256_set1_epi8(15);
  // The signed value of every nibble.
  const W values = _mm256_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, -8,
                                    -7, -6, -5, -4, -3, -2, -1);
  for (std::size_t s = 0; s < steps; ++s) {
    const W b01 = _mm256_loadu_si256(reinterpret_cast<const W*>(w + s * 64));
    const W b23 = _mm256_loadu_si256(reinterpret_cast<const W*>(w + s * 64 + 32));
    const W first01 = _mm256_shuffle_epi8(values, _mm256_and_si256(b01, nibble));
    const W first23 = _mm256_shuffle_epi8(values, _mm256_and_si256(b23, nibble));
    const W second01 = _mm256_shuffle_epi8(values, _mm256_and_si256(_mm256_srli_epi16(b01, 4), nibble));
    const W second23 = _mm256_shuffle_epi8(values, _mm256_and_si256(_mm256_srli_epi16(b23, 4), nibble));
    unroll<R>([&](auto r) POTSTILL_INLINE {
      const __m128i* p = reinterpret_cast<const __m128i*>(x + r * ldx + s * 32);
      const W a = _mm256_xor_si256(_mm256_broadcastsi128_si256(_mm_loadu_si128(p)), sign);
      const W b = _mm256_xor_si256(_mm256_broadcastsi128_si256(_mm_loadu_si128(p + 1)), sign);
      const W p01 = _mm256_add_epi16(_mm256_maddubs_epi16(a, first01), _mm256_maddubs_epi16(b, second01));
      const W p23 = _mm256_add_epi16(_mm256_maddubs_epi16(a, first23), _mm256_maddubs_epi16(b, second23));
      low[r] = _mm256_add_epi32(low[r], _mm256_madd_epi16(p01, ones));
      high[r] = _mm256_add_epi32(high[r], _mm256_madd_epi16(p23, ones));
    });
  }
  unroll<R>([&](auto r) POTSTILL_INLINE { store_panel_sums(low[r], high[r], tile + r * kTileColumns); });
}

struct Dot {
  static constexpr std::size_t kRows = 3;  // 6 accumulators + 4 weights + 2 activations + products of 16 registers
  static constexpr std::size_t kStep = 32, kStepBytes = 64;
  static constexpr int32_t kOffset = 128;

  static void run(std::size_t rows, const int8_t* x, std::size_t ldx, const int8_t* w, std::size_t steps,
                  std::size_t panels, int32_t* tile) {
    for (std::size_t p = 0; p < panels; ++p, w += steps * 64, tile += 4) {
      with_rows<kRows>(rows, [&](auto r) POTSTILL_INLINE { panel<r.value>(x, ldx, w, steps, tile); });
    }
  }
};

}  // namespace

void gemm_i4(const GemmI8& a) { gemm_i8_simd<Dot>(a); }

}  // namespace potstill::kernels::avx2
