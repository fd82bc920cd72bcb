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

// q = saturate(rne(x * inverse) + zero), then zeros up to ldq.
template <bool kShifted>
inline void quantize_row(const float* x, std::size_t k, float inverse, int32_t zero, int8_t* q, std::size_t ldq) {
  const V scale = splat(inverse);
  const Offset offset = splat_offset(zero);
  std::size_t i = 0;
  for (; i + 16 <= k; i += 16) quantize16<kShifted>(q + i, load16(x + i), scale, offset);
  if (i < k) quantize16<kShifted>(q + i, load_first(x + i, k - i), scale, offset);
  for (std::size_t j = k; j < ldq; ++j) q[j] = 0;
}

// body(16 values; zeros past the row's end) over row m, after its activation if there is one.
template <class Body>
POTSTILL_INLINE inline void for_row(const QuantizeRows& a, std::size_t m, const Body& body) {
  const float* x = a.x + m * a.ldx;
  const std::size_t left = a.k % 16, whole = a.k - left;
  if (!a.activated) {
    for (std::size_t i = 0; i < whole; i += 16) body(load16(x + i));
    if (left) body(load_first(x + whole, left));
    return;
  }
  float* y = a.activated + m * a.ldx;
  with_activation(a.activation, [&](auto act) POTSTILL_INLINE {
    constexpr Activation A = static_cast<Activation>(act.value);
    for (std::size_t i = 0; i < whole; i += 16) {
      const V16 value = activate<A>(load16(x + i));
      store_vs(y + i, value);
      body(value);
    }
    if (left) {
      const V16 value = keep_first(activate<A>(load_first(x + whole, left)), left);
      store_first(y + whole, value, left);
      body(value);
    }
  });
}

// Magnitudes are compared as integers: NaN and the infinities are then above every finite number.
constexpr int32_t kInfinityBits = 0x7f800000;
constexpr uint32_t kNegativeInfinityBits = 0xff800000u;
constexpr uint32_t kQuietNan = 0x7fc00000u;

template <class T, class Max>
POTSTILL_INLINE inline W fold(const T& x, const Max& max) {
  W out = x.v[0];
  unroll<kMany<T>>([&](auto i) POTSTILL_INLINE { out = max(out, x.v[i]); });
  return out;
}

// `top`: the bits of the magnitudes, largest per lane.
inline void quantize_symmetric_row(const float* x, std::size_t k, const W16& top, int8_t* q, std::size_t ldq,
                                   float& scale) {
  const int32_t bits = max_lanes_i(fold(top, [](W a, W b) POTSTILL_INLINE { return max_i(a, b); }));
  const float high = float_from_bits(static_cast<uint32_t>(bits));
  if (bits >= kInfinityBits || high < constant::kTiny) {
    scale = bits >= kInfinityBits ? float_from_bits(kQuietNan) : 0.0f;
    __builtin_memset(q, 0, ldq);
    return;
  }
  scale = high / 127.0f;
  quantize_row<false>(x, k, 127.0f / high, 0, q, ldq);
}

}  // namespace
}  // namespace potstill::kernels
