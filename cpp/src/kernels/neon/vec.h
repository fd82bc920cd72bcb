// Eight f32 lanes as two NEON registers (aarch64): the operations the code in simd/ is written with.  Everything has
// internal linkage.  No reciprocal or square root estimates: their bits differ between cores.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

namespace potstill::kernels {
namespace {

struct F {
  float32x4_t a, b;
};
struct I {
  int32x4_t a, b;
};
constexpr std::size_t kLanes = 8;
constexpr std::size_t kGemmRows = 6;  // 6 x 16 outputs: 24 accumulators + 4 columns + 1 broadcast of 32 registers

inline F load(const float* p) { return {vld1q_f32(p), vld1q_f32(p + 4)}; }
inline void store(float* p, F x) {
  vst1q_f32(p, x.a);
  vst1q_f32(p + 4, x.b);
}
inline F load_n(const float* p, std::size_t n) {
  if (n >= 8) return load(p);
  float lanes[8] = {};
  for (std::size_t i = 0; i < n; ++i) lanes[i] = p[i];
  return load(lanes);
}
inline void store_n(float* p, F x, std::size_t n) {
  if (n >= 8) return store(p, x);
  float lanes[8];
  store(lanes, x);
  for (std::size_t i = 0; i < n; ++i) p[i] = lanes[i];
}
inline F splat(float x) { return {vdupq_n_f32(x), vdupq_n_f32(x)}; }
inline F add(F x, F y) { return {vaddq_f32(x.a, y.a), vaddq_f32(x.b, y.b)}; }
inline F sub(F x, F y) { return {vsubq_f32(x.a, y.a), vsubq_f32(x.b, y.b)}; }
inline F mul(F x, F y) { return {vmulq_f32(x.a, y.a), vmulq_f32(x.b, y.b)}; }
inline F div(F x, F y) { return {vdivq_f32(x.a, y.a), vdivq_f32(x.b, y.b)}; }
inline F fma(F x, F y, F z) { return {vfmaq_f32(z.a, x.a, y.a), vfmaq_f32(z.b, x.b, y.b)}; }   // x y + z
inline F fnma(F x, F y, F z) { return {vfmsq_f32(z.a, x.a, y.a), vfmsq_f32(z.b, x.b, y.b)}; }  // z - x y

// FMAX and FMIN return NaN when an operand is NaN.
inline F max_any(F x, F y) { return {vmaxq_f32(x.a, y.a), vmaxq_f32(x.b, y.b)}; }
inline F min_any(F x, F y) { return {vminq_f32(x.a, y.a), vminq_f32(x.b, y.b)}; }
inline F clamp(F x, F low, F high) { return min_any(max_any(x, low), high); }
// Not FMAX: it would turn -0 into +0.  Clears the lanes that are below zero.
inline float32x4_t relu4(float32x4_t x) {
  return vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(x), vcltzq_f32(x)));
}
inline F relu(F x) { return {relu4(x.a), relu4(x.b)}; }
inline F abs_(F x) { return {vabsq_f32(x.a), vabsq_f32(x.b)}; }
inline F copysign_(F magnitude, F sign) {
  const uint32x4_t mask = vdupq_n_u32(0x80000000u);
  return {vbslq_f32(mask, sign.a, magnitude.a), vbslq_f32(mask, sign.b, magnitude.b)};
}
inline F first_lanes(F x, std::size_t n) {
  static const uint32_t index[8] = {0, 1, 2, 3, 4, 5, 6, 7};
  const uint32x4_t count = vdupq_n_u32(n < 8 ? static_cast<uint32_t>(n) : 8u);
  const uint32x4_t keep_a = vcltq_u32(vld1q_u32(index), count), keep_b = vcltq_u32(vld1q_u32(index + 4), count);
  return {vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(x.a), keep_a)),
          vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(x.b), keep_b))};
}

// 2^n from the bits of n + 1.5 * 2^23.
inline float32x4_t power_of_two4(float32x4_t shifted) {
  const int32x4_t n = vshlq_n_s32(vreinterpretq_s32_f32(shifted), 23);
  return vreinterpretq_f32_s32(vaddq_s32(n, vdupq_n_s32(0x3f800000)));
}
inline F power_of_two(F shifted) { return {power_of_two4(shifted.a), power_of_two4(shifted.b)}; }

// The tree of the 16 virtual lanes: h = 8, 4, 2, 1.
inline float sum_tree(F low, F high) {
  const F h8 = add(low, high);
  const float32x4_t h4 = vaddq_f32(h8.a, h8.b);
  const float32x2_t h2 = vadd_f32(vget_low_f32(h4), vget_high_f32(h4));
  return vget_lane_f32(h2, 0) + vget_lane_f32(h2, 1);
}
inline float max_lanes(F x) { return vmaxvq_f32(vmaxq_f32(x.a, x.b)); }
inline float min_lanes(F x) { return vminvq_f32(vminq_f32(x.a, x.b)); }

inline I splat_i(int32_t x) { return {vdupq_n_s32(x), vdupq_n_s32(x)}; }
inline I load_i(const int32_t* p) { return {vld1q_s32(p), vld1q_s32(p + 4)}; }
inline I add_i(I x, I y) { return {vaddq_s32(x.a, y.a), vaddq_s32(x.b, y.b)}; }
inline I sub_i(I x, I y) { return {vsubq_s32(x.a, y.a), vsubq_s32(x.b, y.b)}; }
inline I mul_i(I x, I y) { return {vmulq_s32(x.a, y.a), vmulq_s32(x.b, y.b)}; }
inline I max_i(I x, I y) { return {vmaxq_s32(x.a, y.a), vmaxq_s32(x.b, y.b)}; }
inline I abs_bits(F x) { return {vreinterpretq_s32_f32(vabsq_f32(x.a)), vreinterpretq_s32_f32(vabsq_f32(x.b))}; }
inline int32_t max_lanes_i(I x) { return vmaxvq_s32(vmaxq_s32(x.a, x.b)); }
inline F to_f(I x) { return {vcvtq_f32_s32(x.a), vcvtq_f32_s32(x.b)}; }
inline I rne(F x) { return {vcvtnq_s32_f32(x.a), vcvtnq_s32_f32(x.b)}; }

// Stores 16 int32 as int8 with saturation.
inline int8x8_t narrow(I x) { return vqmovn_s16(vcombine_s16(vqmovn_s32(x.a), vqmovn_s32(x.b))); }
inline void store_i8(int8_t* p, I low, I high) { vst1q_s8(p, vcombine_s8(narrow(low), narrow(high))); }
inline F load_i8(const int8_t* p) {
  const int16x8_t x = vmovl_s8(vld1_s8(p));
  return to_f({vmovl_s16(vget_low_s16(x)), vmovl_s16(vget_high_s16(x))});
}

}  // namespace
}  // namespace potstill::kernels
