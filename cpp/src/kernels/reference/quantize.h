// What both ways to quantize a row share.
#pragma once

#include <cmath>

#include "kernels/reference/math.h"

namespace potstill::kernels::reference {
namespace {

inline int32_t rne_product(float u, float v) {
  return static_cast<int32_t>(std::fma(u, v, constant::kMagic) - constant::kMagic);
}
inline int32_t clamp_i8(int32_t v) { return v < -128 ? -128 : (v > 127 ? 127 : v); }

inline bool all_finite(const float* x, std::size_t k) {
  for (std::size_t i = 0; i < k; ++i) {
    if (!std::isfinite(x[i])) return false;
  }
  return true;
}

// Row m as it is to be quantized.
inline const float* activated_row(const QuantizeRows& a, std::size_t m) {
  const float* x = a.x + m * a.ldx;
  if (!a.activated) return x;
  float* y = a.activated + m * a.ldx;
  for (std::size_t i = 0; i < a.k; ++i) y[i] = activate(x[i], a.activation);
  return y;
}

inline void zero_row(int8_t* q, std::size_t ldq) {
  for (std::size_t i = 0; i < ldq; ++i) q[i] = 0;
}

}  // namespace
}  // namespace potstill::kernels::reference
