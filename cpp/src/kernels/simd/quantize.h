// Row-wise int8 quantization.  Include a set's vec.h first.
#pragma once

#include "kernels/simd/math.h"

namespace potstill::kernels {
namespace {

inline float float_from_bits(uint32_t bits) {
  float value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}

inline void zero_row(int8_t* q, std::size_t ldq) { __builtin_memset(q, 0, ldq); }

// q = saturate(rne(x * inverse) + zero), then zeros up to ldq.
inline void quantize_row(const float* x, std::size_t k, float inverse, int32_t zero, int8_t* q, std::size_t ldq) {
  const F scale = splat(inverse);
  const I offset = splat_i(zero);
  std::size_t i = 0;
  for (; i + 16 <= k; i += 16) {
    store_i8(q + i, add_i(rne(mul(load(x + i), scale)), offset), add_i(rne(mul(load(x + i + 8), scale)), offset));
  }
  if (i < k) {
    const F low = load_n(x + i, lanes_left(k, i)), high = load_n(x + i + 8, lanes_left(k, i + 8));
    store_i8(q + i, add_i(rne(mul(low, scale)), offset), add_i(rne(mul(high, scale)), offset));
  }
  for (std::size_t j = k; j < ldq; ++j) q[j] = 0;
}

// Magnitudes are compared as integers: NaN and the infinities are then above every finite number.
constexpr int32_t kInfinityBits = 0x7f800000;
constexpr uint32_t kQuietNan = 0x7fc00000u;

inline void quantize_symmetric_simd(const QuantizeRows& a) {
  for (std::size_t m = 0; m < a.rows; ++m) {
    const float* x = a.x + m * a.ldx;
    int8_t* q = a.q + m * a.ldq;
    I top0 = splat_i(0), top1 = splat_i(0);
    std::size_t i = 0;
    for (; i + 16 <= a.k; i += 16) {
      top0 = max_i(top0, abs_bits(load(x + i)));
      top1 = max_i(top1, abs_bits(load(x + i + 8)));
    }
    if (i < a.k) {
      top0 = max_i(top0, abs_bits(load_n(x + i, lanes_left(a.k, i))));
      top1 = max_i(top1, abs_bits(load_n(x + i + 8, lanes_left(a.k, i + 8))));
    }
    const int32_t bits = max_lanes_i(max_i(top0, top1));
    const float high = float_from_bits(static_cast<uint32_t>(bits));
    if (bits >= kInfinityBits || high < constant::kTiny) {
      a.scale[m] = bits >= kInfinityBits ? float_from_bits(kQuietNan) : 0.0f;
      zero_row(q, a.ldq);
      continue;
    }
    a.scale[m] = high / 127.0f;
    quantize_row(x, a.k, 127.0f / high, 0, q, a.ldq);
  }
}

inline void quantize_asymmetric_simd(const QuantizeRows& a) {
  for (std::size_t m = 0; m < a.rows; ++m) {
    const float* x = a.x + m * a.ldx;
    int8_t* q = a.q + m * a.ldq;
    I top = splat_i(0);
    F low_lanes = splat(0.0f), high_lanes = splat(0.0f);
    std::size_t i = 0;
    for (; i < a.k; i += kLanes) {
      const F v = i + kLanes <= a.k ? load(x + i) : load_n(x + i, a.k - i);
      top = max_i(top, abs_bits(v));
      low_lanes = min_any(low_lanes, v);
      high_lanes = max_any(high_lanes, v);
    }
    const float low = min_lanes(low_lanes), high = max_lanes(high_lanes);
    const float range = high - low;
    const bool finite = max_lanes_i(top) < kInfinityBits;
    a.zero[m] = 0;
    if (!finite || range < constant::kTiny) {
      a.scale[m] = finite ? 0.0f : float_from_bits(kQuietNan);
      zero_row(q, a.ldq);
      continue;
    }
    a.scale[m] = range / 255.0f;
    const float inverse = 255.0f / range;
    const float shift = low * inverse;  // in [-255.1, 0]
    // rne by the magic constant: exact below 2^22.
    const float rounded = (shift + constant::kMagic) - constant::kMagic;
    const int32_t zero = -128 - static_cast<int32_t>(rounded);
    a.zero[m] = zero < -128 ? -128 : (zero > 127 ? 127 : zero);
    quantize_row(x, a.k, inverse, a.zero[m], q, a.ldq);
  }
}

}  // namespace
}  // namespace potstill::kernels
