#include "kernels/avx2/vec.h"
// vec.h first: the code in simd/ is written with its types.
#include "kernels/simd/gemm_i8.h"
#include "kernels/this_set.h"

namespace potstill::kernels::avx2 {
namespace {

// s8 x s8 through maddubs (u8 x s8): |a| * sign(w, a).  A pair sum is at most 2 * 128 * 127 = 32512: no saturation.
// One ymm of weights is two columns of 16; after the loop each column has four partial sums.
template <std::size_t R>
inline void panel(const int8_t* x, std::size_t ldx, const int8_t* w, std::size_t steps, int32_t* tile) {
  W low[R], high[R];
  unroll<R>([&](auto r) POTSTILL_INLINE { low[r] = high[r] = _mm256_setzero_si256(); });
  const W ones = _mm256_set1_epi16(1);
  for (std::size_t s = 0; s < steps; ++s) {
    const W w01 = _mm256_loadu_si256(reinterpret_cast<const W*>(w + s * 64));
    const W w23 = _mm256_loadu_si256(reinterpret_cast<const W*>(w + s * 64 + 32));
    unroll<R>([&](auto r) POTSTILL_INLINE {
      const W a = _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x + r * ldx + s * 16)));
      const W u = _mm256_abs_epi8(a);
      const W p01 = _mm256_madd_epi16(_mm256_maddubs_epi16(u, _mm256_sign_epi8(w01, a)), ones);
      const W p23 = _mm256_madd_epi16(_mm256_maddubs_epi16(u, _mm256_sign_epi8(w23, a)), ones);
      low[r] = _mm256_add_epi32(low[r], p01);
      high[r] = _mm256_add_epi32(high[r], p23);
    });
  }
  unroll<R>([&](auto r) POTSTILL_INLINE { store_panel_sums(low[r], high[r], tile + r * kTileColumns); });
}

struct Dot {
  static constexpr std::size_t kRows = 4;
  static constexpr std::size_t kStep = 16, kStepBytes = 64;
  static constexpr int32_t kOffset = 0;

  static void run(std::size_t rows, const int8_t* x, std::size_t ldx, const int8_t* w, std::size_t steps,
                  std::size_t panels, int32_t* tile) {
    for (std::size_t p = 0; p < panels; ++p, w += steps * 64, tile += 4) {
      with_rows<kRows>(rows, [&](auto r) POTSTILL_INLINE { panel<r.value>(x, ldx, w, steps, tile); });
    }
  }
};

}  // namespace

void gemm_i8(const GemmI8& a) { gemm_i8_simd<Dot>(a); }

}  // namespace potstill::kernels::avx2
