// Sixteen f32 lanes on AVX-512: the operations the code in simd/ is written with.  Everything has internal linkage.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/simd/unroll.h"

namespace potstill::kernels {
namespace {

using V = __m512;
using W = __m512i;
constexpr std::size_t kLanes = 16;
constexpr std::size_t kGemmRows = 8;      // 8 accumulators hide the latency of one or two FMA units
constexpr std::size_t kEpilogueRows = 2;  // two chains of the activation run side by side

inline __mmask16 lane_mask(std::size_t n) { return static_cast<__mmask16>(n < 16 ? (1u << n) - 1 : 0xffffu); }

inline V load(const float* p) { return _mm512_loadu_ps(p); }
inline V load_n(const float* p, std::size_t n) { return _mm512_maskz_loadu_ps(lane_mask(n), p); }
inline void store(float* p, V x) { _mm512_storeu_ps(p, x); }
inline void store_n(float* p, V x, std::size_t n) { _mm512_mask_storeu_ps(p, lane_mask(n), x); }
inline V splat(float x) { return _mm512_set1_ps(x); }
inline V add(V a, V b) { return _mm512_add_ps(a, b); }
inline V sub(V a, V b) { return _mm512_sub_ps(a, b); }
inline V mul(V a, V b) { return _mm512_mul_ps(a, b); }
inline V div(V a, V b) { return _mm512_div_ps(a, b); }
inline V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }    // a b + c
inline V fnma(V a, V b, V c) { return _mm512_fnmadd_ps(a, b, c); }  // c - a b

// Constants as the addend of an fma: no different from any other vector here.
template <std::size_t N>
constexpr auto constants(const float (&table)[N][4]) {
  return table;
}
inline V addend(const float (&lanes)[4]) { return splat(lanes[0]); }

// maxps and minps return their second operand when either is NaN, and when both are zero.
inline V at_least(V x, V low) { return _mm512_max_ps(low, x); }
inline V at_most(V x, V high) { return _mm512_min_ps(high, x); }
inline V relu(V x) { return _mm512_max_ps(_mm512_setzero_ps(), x); }
inline V max_any(V a, V b) { return _mm512_max_ps(a, b); }
inline V abs_(V x) { return _mm512_abs_ps(x); }
inline V copysign_(V magnitude, V sign) {
  return _mm512_or_ps(_mm512_andnot_ps(splat(-0.0f), magnitude), _mm512_and_ps(splat(-0.0f), sign));
}
inline V first_lanes(V x, std::size_t n) { return _mm512_maskz_mov_ps(lane_mask(n), x); }

// 2^n from the bits of n + 1.5 * 2^23.
inline V power_of_two(V shifted) {
  const W n = _mm512_slli_epi32(_mm512_castps_si512(shifted), 23);
  return _mm512_castsi512_ps(_mm512_add_epi32(n, _mm512_set1_epi32(0x3f800000)));
}

// The tree of the 16 virtual lanes: h = 8, 4, 2, 1.
inline float sum_tree(const V (&lanes)[1]) {
  const __m256 h8 = _mm256_add_ps(_mm512_castps512_ps256(lanes[0]), _mm512_extractf32x8_ps(lanes[0], 1));
  const __m128 h4 = _mm_add_ps(_mm256_castps256_ps128(h8), _mm256_extractf128_ps(h8, 1));
  const __m128 h2 = _mm_add_ps(h4, _mm_movehl_ps(h4, h4));
  return _mm_cvtss_f32(_mm_add_ss(h2, _mm_movehdup_ps(h2)));
}
inline float max_lanes(V x) {
  const __m256 h8 = _mm256_max_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
  const __m128 h4 = _mm_max_ps(_mm256_castps256_ps128(h8), _mm256_extractf128_ps(h8, 1));
  const __m128 h2 = _mm_max_ps(h4, _mm_movehl_ps(h4, h4));
  return _mm_cvtss_f32(_mm_max_ss(h2, _mm_movehdup_ps(h2)));
}

inline W splat_i(int32_t x) { return _mm512_set1_epi32(x); }
inline W load_i(const int32_t* p) { return _mm512_loadu_si512(p); }
inline W add_i(W a, W b) { return _mm512_add_epi32(a, b); }
inline W sub_i(W a, W b) { return _mm512_sub_epi32(a, b); }
inline W mul_i(W a, W b) { return _mm512_mullo_epi32(a, b); }
inline W max_i(W a, W b) { return _mm512_max_epi32(a, b); }
inline W max_u(W a, W b) { return _mm512_max_epu32(a, b); }
inline W bits_of(V x) { return _mm512_castps_si512(x); }
inline int32_t max_lanes_i(W x) { return _mm512_reduce_max_epi32(x); }
inline uint32_t max_lanes_u(W x) { return _mm512_reduce_max_epu32(x); }
inline V to_f(W x) { return _mm512_cvtepi32_ps(x); }

// Stores 16 int32 as int8 with saturation.
inline void store_i8(int8_t* p, const W (&x)[1]) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtsepi32_epi8(x[0]));
}
using Offset = W;
inline Offset splat_offset(int32_t zero) { return splat_i(zero); }
// q = saturate(rne(x * scale) + offset) for 16 values: adding 1.5 * 2^23 in the fma rounds to nearest even and leaves
// the integer in the low bits.
template <bool kShifted>
inline void quantize16(int8_t* q, const Many<V, 1>& x, V scale, Offset offset) {
  const V magic = splat(12582912.0f);
  const W base = kShifted ? sub_i(bits_of(magic), offset) : bits_of(magic);
  W n[1];
  for (int i = 0; i < 1; ++i) n[i] = sub_i(bits_of(fma(x.v[i], scale, magic)), base);
  store_i8(q, n);
}
inline V load_i8(const int8_t* p) {
  return to_f(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}
// Two panels of eight columns as one vector.
inline void load_columns(const float* b0, const float* b1, V (&out)[1]) {
  out[0] = _mm512_insertf32x8(_mm512_castps256_ps512(_mm256_loadu_ps(b0)), _mm256_loadu_ps(b1), 1);
}

// out[c][j] = in[j][c] for an 8 x 8 block.
constexpr std::size_t kTransposed = 8;
inline void transpose(const float* in, std::size_t ldi, float* out, std::size_t ldo) {
  __m256 r[8], t[8];
  for (int i = 0; i < 8; ++i) r[i] = _mm256_loadu_ps(in + static_cast<std::size_t>(i) * ldi);
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
  for (int i = 0; i < 8; i += 4) {
    r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
    r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
  }
  for (int i = 0; i < 4; ++i) {
    _mm256_storeu_ps(out + static_cast<std::size_t>(i) * ldo, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
    _mm256_storeu_ps(out + static_cast<std::size_t>(i + 4) * ldo, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
  }
}

}  // namespace
}  // namespace potstill::kernels

#include "kernels/simd/product_broadcast.h"
