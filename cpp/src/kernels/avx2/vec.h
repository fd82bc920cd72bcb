// Eight f32 lanes on AVX2 + FMA: the operations the code in simd/ is written with.  Everything has internal linkage:
// nothing compiled with these flags may be merged into code of another set.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace potstill::kernels {
namespace {

using F = __m256;
using I = __m256i;
constexpr std::size_t kLanes = 8;
constexpr std::size_t kGemmRows = 6;  // 6 x 16 outputs: 12 accumulators + 2 columns + 1 broadcast of 16 registers

inline I lane_mask(std::size_t n) {
  alignas(32) static const int32_t table[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
  return _mm256_loadu_si256(reinterpret_cast<const I*>(table + 8 - (n < 8 ? n : 8)));
}

inline F load(const float* p) { return _mm256_loadu_ps(p); }
inline F load_n(const float* p, std::size_t n) { return _mm256_maskload_ps(p, lane_mask(n)); }
inline void store(float* p, F x) { _mm256_storeu_ps(p, x); }
inline void store_n(float* p, F x, std::size_t n) { _mm256_maskstore_ps(p, lane_mask(n), x); }
inline F splat(float x) { return _mm256_set1_ps(x); }
inline F add(F a, F b) { return _mm256_add_ps(a, b); }
inline F sub(F a, F b) { return _mm256_sub_ps(a, b); }
inline F mul(F a, F b) { return _mm256_mul_ps(a, b); }
inline F div(F a, F b) { return _mm256_div_ps(a, b); }
inline F fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }    // a b + c
inline F fnma(F a, F b, F c) { return _mm256_fnmadd_ps(a, b, c); }  // c - a b

// maxps and minps return their second operand when either is NaN, and when both are zero.
inline F clamp(F x, F low, F high) { return _mm256_min_ps(high, _mm256_max_ps(low, x)); }
inline F relu(F x) { return _mm256_max_ps(_mm256_setzero_ps(), x); }
inline F max_any(F a, F b) { return _mm256_max_ps(a, b); }
inline F min_any(F a, F b) { return _mm256_min_ps(a, b); }
inline F abs_(F x) { return _mm256_andnot_ps(splat(-0.0f), x); }
inline F copysign_(F magnitude, F sign) {
  return _mm256_or_ps(_mm256_andnot_ps(splat(-0.0f), magnitude), _mm256_and_ps(splat(-0.0f), sign));
}
inline F first_lanes(F x, std::size_t n) { return _mm256_and_ps(x, _mm256_castsi256_ps(lane_mask(n))); }

// 2^n from the bits of n + 1.5 * 2^23.
inline F power_of_two(F shifted) {
  const I n = _mm256_slli_epi32(_mm256_castps_si256(shifted), 23);
  return _mm256_castsi256_ps(_mm256_add_epi32(n, _mm256_set1_epi32(0x3f800000)));
}

// The tree of the 16 virtual lanes: h = 8, 4, 2, 1.
inline float sum_tree(F low, F high) {
  const F h8 = add(low, high);
  const __m128 h4 = _mm_add_ps(_mm256_castps256_ps128(h8), _mm256_extractf128_ps(h8, 1));
  const __m128 h2 = _mm_add_ps(h4, _mm_movehl_ps(h4, h4));
  return _mm_cvtss_f32(_mm_add_ss(h2, _mm_movehdup_ps(h2)));
}
inline float max_lanes(F x) {
  const __m128 h4 = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  const __m128 h2 = _mm_max_ps(h4, _mm_movehl_ps(h4, h4));
  return _mm_cvtss_f32(_mm_max_ss(h2, _mm_movehdup_ps(h2)));
}
inline float min_lanes(F x) { return -max_lanes(_mm256_xor_ps(x, splat(-0.0f))); }

inline I splat_i(int32_t x) { return _mm256_set1_epi32(x); }
inline I load_i(const int32_t* p) { return _mm256_loadu_si256(reinterpret_cast<const I*>(p)); }
inline I add_i(I a, I b) { return _mm256_add_epi32(a, b); }
inline I sub_i(I a, I b) { return _mm256_sub_epi32(a, b); }
inline I mul_i(I a, I b) { return _mm256_mullo_epi32(a, b); }
inline I max_i(I a, I b) { return _mm256_max_epi32(a, b); }
inline I abs_bits(F x) { return _mm256_castps_si256(abs_(x)); }
inline int32_t max_lanes_i(I x) {
  __m128i h = _mm_max_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  h = _mm_max_epi32(h, _mm_shuffle_epi32(h, 0x4e));
  h = _mm_max_epi32(h, _mm_shuffle_epi32(h, 0xb1));
  return _mm_cvtsi128_si32(h);
}
inline F to_f(I x) { return _mm256_cvtepi32_ps(x); }
inline I rne(F x) { return _mm256_cvtps_epi32(x); }  // MXCSR default: to nearest, ties to even

// Stores 16 int32 as int8 with saturation.
inline void store_i8(int8_t* p, I low, I high) {
  const I words = _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0xd8);
  const __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
}
inline F load_i8(const int8_t* p) {
  return to_f(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
}

}  // namespace
}  // namespace potstill::kernels
