// The scalar functions of the numeric specification.  NaN goes through every one of them.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "kernels/coefficients.h"
#include "kernels/kernels.h"

namespace potstill::kernels::reference {
namespace {

// A comparison with NaN is false, so NaN is returned as it came.
inline float clamp(float x, float low, float high) { return x < low ? low : (x > high ? high : x); }

inline float exp_(float x) {
  namespace c = constant;
  const float a = clamp(x, c::kExpMin, c::kExpMax);
  const float shifted = std::fma(a, c::kLog2E, c::kMagic);  // low mantissa bits hold n = rne(a / ln 2)
  const float n = shifted - c::kMagic;
  float r = std::fma(n, -c::kLn2High, a);
  r = std::fma(n, -c::kLn2Low, r);
  const float r2 = r * r;
  const float high = std::fma(r, c::kExp3, c::kExp2), low = std::fma(r, c::kExp1, c::kExp0);
  const float p = std::fma(std::fma(high, r2, low), r2, 1.0f + r);
  // 2^n built in the exponent field; a product rather than an addition to the bits of p, so that NaN stays NaN.
  const float power = std::bit_cast<float>((std::bit_cast<uint32_t>(shifted) << 23) + 0x3f800000u);
  return p * power;
}

inline float relu(float x) { return x < 0.0f ? 0.0f : x; }

inline float gelu(float x) {
  namespace c = constant;
  const float a = clamp(std::fabs(x), 0.0f, c::kGeluEnd);
  const float t = 1.0f / std::fma(c::kGeluP, a, 1.0f);
  const float t2 = t * t;
  const float p01 = std::fma(t, c::kGelu1, c::kGelu0), p23 = std::fma(t, c::kGelu3, c::kGelu2);
  const float p = std::fma(std::fma(std::fma(t, c::kGelu5, c::kGelu4), t2, p23), t2, p01);
  const float tail = (p * t) * exp_((a * a) * -0.5f);
  return std::fma(-a, tail, relu(x));  // x >= 0: x - x tail; x < 0: x tail
}

inline float gelu_poly(float x) {
  namespace c = constant;
  const float a = clamp(x, -c::kGeluPolyEnd, c::kGeluPolyEnd);
  const float s = a * a;
  const float s2 = s * s, s4 = s2 * s2;
  const float p01 = std::fma(s, c::kGeluPoly1, c::kGeluPoly0), p23 = std::fma(s, c::kGeluPoly3, c::kGeluPoly2);
  const float p45 = std::fma(s, c::kGeluPoly5, c::kGeluPoly4);
  const float p = std::fma(std::fma(s2, c::kGeluPoly6, p45), s4, std::fma(p23, s2, p01));
  return x * std::fma(a, p, 0.5f);
}

inline float tanh_(float x) {
  const float e = exp_(std::fabs(x) * -2.0f);
  return std::copysign((1.0f - e) / (1.0f + e), x);
}

inline float gelu_tanh(float x) {
  namespace c = constant;
  const float inner = std::fma(x * x, c::kGeluTanh1, c::kGeluTanh0);
  return x / (1.0f + exp_(x * inner));
}

inline float activate(float x, Activation activation) {
  switch (activation) {
    case Activation::Gelu:
      return gelu(x);
    case Activation::GeluPoly:
      return gelu_poly(x);
    case Activation::Relu:
      return relu(x);
    case Activation::Tanh:
      return tanh_(x);
    case Activation::GeluTanh:
      return gelu_tanh(x);
    case Activation::None:
      break;
  }
  return x;
}

// From the int32 sum of row m, column n of an int8 or int4 product to its output.
inline void finish_integer(const GemmI8& g, std::size_t m, std::size_t n, int32_t acc) {
  if (g.row_zero) acc -= g.row_zero[m] * g.colsum[n];
  const float bias = g.bias ? g.bias[n] : 0.0f;
  float y = activate(std::fma(static_cast<float>(acc), g.row_scale[m] * g.col_scale[n], bias), g.activation);
  if (g.residual) y = y + g.residual[m * g.ldr + n];
  g.y[m * g.ldy + n] = y;
}

// One block of 32 int4 values: byte j holds value j in its low nibble and value 16 + j in its high one.
inline int32_t nibble(const void* block, std::size_t i) {
  const uint32_t byte = static_cast<const uint8_t*>(block)[i % 16];
  const int32_t value = static_cast<int32_t>(i < 16 ? byte & 15u : byte >> 4);
  return value < 8 ? value : value - 16;
}

// The 16 virtual lanes of a row sum and their fixed tree.
struct RowSum {
  float lane[16] = {};

  void add(std::size_t i, float x) { lane[i % 16] += x; }
  void add_square(std::size_t i, float x) { lane[i % 16] = std::fma(x, x, lane[i % 16]); }
  float total() const {
    float sum[16];
    for (int i = 0; i < 16; ++i) sum[i] = lane[i];
    for (int half = 8; half > 0; half /= 2) {
      for (int i = 0; i < half; ++i) sum[i] += sum[i + half];
    }
    return sum[0];
  }
};

// Scale of a row that holds NaN or an infinity: one NaN pattern on every machine.
inline float quiet_nan() { return std::bit_cast<float>(0x7fc00000u); }

}  // namespace
}  // namespace potstill::kernels::reference
