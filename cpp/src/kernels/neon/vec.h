// Four f32 lanes of NEON (aarch64): the operations the code in simd/ is written with.  Everything has internal linkage.
// No reciprocal or square root estimates: their bits differ between cores.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

#include "kernels/simd/unroll.h"

namespace potstill::kernels {
namespace {

using V = float32x4_t;
using W = int32x4_t;
constexpr std::size_t kLanes = 4;
constexpr std::size_t kGemmRows = 4;  // 4 x 16 outputs: 16 accumulators + 4 columns + 4 rows of 32 registers

inline V load(const float* p) { return vld1q_f32(p); }
inline void store(float* p, V x) { vst1q_f32(p, x); }
inline V load_n(const float* p, std::size_t n) {
  if (n >= 4) return load(p);
  V x = vdupq_n_f32(0.0f);
  if (n & 2) {
    x = vcombine_f32(vld1_f32(p), vdup_n_f32(0.0f));
    if (n & 1) x = vld1q_lane_f32(p + 2, x, 2);
  } else if (n & 1) {
    x = vld1q_lane_f32(p, x, 0);
  }
  return x;
}
inline void store_n(float* p, V x, std::size_t n) {
  if (n >= 4) return store(p, x);
  if (n & 2) {
    vst1_f32(p, vget_low_f32(x));
    if (n & 1) vst1q_lane_f32(p + 2, x, 2);
  } else if (n & 1) {
    vst1q_lane_f32(p, x, 0);
  }
}
inline V splat(float x) { return vdupq_n_f32(x); }
inline V add(V x, V y) { return vaddq_f32(x, y); }
inline V sub(V x, V y) { return vsubq_f32(x, y); }
inline V mul(V x, V y) { return vmulq_f32(x, y); }
inline V div(V x, V y) { return vdivq_f32(x, y); }
inline V fma(V x, V y, V z) { return vfmaq_f32(z, x, y); }   // x y + z
inline V fnma(V x, V y, V z) { return vfmsq_f32(z, x, y); }  // z - x y

// FMLA overwrites its addend, so a constant kept in a register would be copied by a vector instruction every time.  The
// load pipes have time: a constant addend is loaded again for each use.  `constants` hides where a table lies, so that
// one register and small offsets reach all of it.
struct Addend {
  const float* lanes;
};
inline const float (*constants(const float (*table)[4]))[4] {
  __asm__("" : "+r"(table));
  return table;
}
inline Addend addend(const float (&lanes)[4]) { return {lanes}; }
inline V fma(V x, V y, Addend z) {
  V copy;
  __asm__ volatile("ldr %q0, %1" : "=w"(copy) : "m"(*reinterpret_cast<const float(*)[4]>(z.lanes)));
  return vfmaq_f32(copy, x, y);
}

// FMAX and FMIN return NaN when an operand is NaN.
inline V max_any(V x, V y) { return vmaxq_f32(x, y); }
inline V at_least(V x, V low) { return vmaxq_f32(x, low); }
inline V at_most(V x, V high) { return vminq_f32(x, high); }
// Not FMAX: it would turn -0 into +0.  Clears the lanes that are below zero.
inline V relu(V x) { return vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(x), vcltzq_f32(x))); }
inline V abs_(V x) { return vabsq_f32(x); }
inline V copysign_(V magnitude, V sign) { return vbslq_f32(vdupq_n_u32(0x80000000u), sign, magnitude); }
inline V first_lanes(V x, std::size_t n) {
  static const uint32_t index[4] = {0, 1, 2, 3};
  const uint32x4_t count = vdupq_n_u32(n < 4 ? static_cast<uint32_t>(n) : 4u);
  return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(x), vcltq_u32(vld1q_u32(index), count)));
}

// 2^n from the bits of n + 1.5 * 2^23.
inline V power_of_two(V shifted) {
  const W n = vshlq_n_s32(vreinterpretq_s32_f32(shifted), 23);
  return vreinterpretq_f32_s32(vaddq_s32(n, vdupq_n_s32(0x3f800000)));
}

// The tree of the 16 virtual lanes: h = 8, 4, 2, 1.
inline float sum_tree(const V (&lanes)[4]) {
  const V h4 = vaddq_f32(vaddq_f32(lanes[0], lanes[2]), vaddq_f32(lanes[1], lanes[3]));
  const float32x2_t h2 = vadd_f32(vget_low_f32(h4), vget_high_f32(h4));
  return vget_lane_f32(h2, 0) + vget_lane_f32(h2, 1);
}
inline float max_lanes(V x) { return vmaxvq_f32(x); }

inline W splat_i(int32_t x) { return vdupq_n_s32(x); }
inline W load_i(const int32_t* p) { return vld1q_s32(p); }
inline W add_i(W x, W y) { return vaddq_s32(x, y); }
inline W sub_i(W x, W y) { return vsubq_s32(x, y); }
inline W mul_i(W x, W y) { return vmulq_s32(x, y); }
inline W max_i(W x, W y) { return vmaxq_s32(x, y); }
inline W max_u(W x, W y) {
  return vreinterpretq_s32_u32(vmaxq_u32(vreinterpretq_u32_s32(x), vreinterpretq_u32_s32(y)));
}
inline W bits_of(V x) { return vreinterpretq_s32_f32(x); }
inline int32_t max_lanes_i(W x) { return vmaxvq_s32(x); }
inline uint32_t max_lanes_u(W x) { return vmaxvq_u32(vreinterpretq_u32_s32(x)); }
inline V to_f(W x) { return vcvtq_f32_s32(x); }

// q = saturate(rne(x * scale) + offset) for 16 products of magnitude below 2^15.  Adding 1.5 * 2^23 in the fma rounds
// to nearest even and leaves the integer in the low bits.
alignas(16) static constexpr float kMagicTable[1][4] = {{12582912.0f, 12582912.0f, 12582912.0f, 12582912.0f}};
using Offset = int16x8_t;
inline Offset splat_offset(int32_t zero) { return vdupq_n_s16(static_cast<int16_t>(zero)); }
inline int16x8_t low_halves(V x, V y) { return vuzp1q_s16(vreinterpretq_s16_f32(x), vreinterpretq_s16_f32(y)); }
template <bool kShifted>
inline void quantize16(int8_t* q, const Many<V, 4>& x, V scale, Offset offset) {
  const float(*magic)[4] = constants(kMagicTable);
  const int16x8_t a = low_halves(fma(x.v[0], scale, addend(*magic)), fma(x.v[1], scale, addend(*magic)));
  const int16x8_t b = low_halves(fma(x.v[2], scale, addend(*magic)), fma(x.v[3], scale, addend(*magic)));
  if constexpr (kShifted) {
    vst1q_s8(q, vqmovn_high_s16(vqmovn_s16(vaddq_s16(a, offset)), vaddq_s16(b, offset)));
  } else {
    vst1q_s8(q, vuzp1q_s8(vreinterpretq_s8_s16(a), vreinterpretq_s8_s16(b)));  // a byte each: |x| <= 127
  }
}
inline void load_columns(const float* b0, const float* b1, V (&out)[4]) {
  out[0] = load(b0);
  out[1] = load(b0 + 4);
  out[2] = load(b1);
  out[3] = load(b1 + 4);
}
inline V load_i8(const int8_t* p) {
  int32_t four;
  __builtin_memcpy(&four, p, sizeof four);
  const int16x8_t x = vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(four)));
  return to_f(vmovl_s16(vget_low_s16(x)));
}

// out[c][j] = in[j][c] for a 4 x 4 block.
constexpr std::size_t kTransposed = 4;
inline void transpose(const float* in, std::size_t ldi, float* out, std::size_t ldo) {
  const V r0 = load(in), r1 = load(in + ldi), r2 = load(in + 2 * ldi), r3 = load(in + 3 * ldi);
  const V a = vtrn1q_f32(r0, r1), b = vtrn2q_f32(r0, r1), c = vtrn1q_f32(r2, r3), d = vtrn2q_f32(r2, r3);
  const auto low = [](V x, V y) {
    return vreinterpretq_f32_f64(vtrn1q_f64(vreinterpretq_f64_f32(x), vreinterpretq_f64_f32(y)));
  };
  const auto high = [](V x, V y) {
    return vreinterpretq_f32_f64(vtrn2q_f64(vreinterpretq_f64_f32(x), vreinterpretq_f64_f32(y)));
  };
  store(out, low(a, c));
  store(out + ldo, low(b, d));
  store(out + 2 * ldo, high(a, c));
  store(out + 3 * ldo, high(b, d));
}

}  // namespace
}  // namespace potstill::kernels

#include "kernels/simd/product_by_lane.h"
