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
  float p = std::fma(c::kExp3, r, c::kExp2);
  p = std::fma(p, r, c::kExp1);
  p = std::fma(p, r, c::kExp0);
  p = std::fma(p, r, 1.0f);
  p = std::fma(p, r, 1.0f);
  // 2^n built in the exponent field; a product rather than an addition to the bits of p, so that NaN stays NaN.
  const float power = std::bit_cast<float>((std::bit_cast<uint32_t>(shifted) << 23) + 0x3f800000u);
  return p * power;
}

inline float relu(float x) { return x < 0.0f ? 0.0f : x; }

inline float gelu(float x) {
  namespace c = constant;
  const float a = clamp(std::fabs(x), 0.0f, c::kGeluEnd);
  const float t = 1.0f / std::fma(c::kGeluP, a, 1.0f);
  float p = std::fma(c::kGelu5, t, c::kGelu4);
  p = std::fma(p, t, c::kGelu3);
  p = std::fma(p, t, c::kGelu2);
  p = std::fma(p, t, c::kGelu1);
  p = std::fma(p, t, c::kGelu0);
  const float tail = (p * t) * exp_((a * a) * -0.5f);
  return std::fma(-a, tail, relu(x));  // x >= 0: x - x tail; x < 0: x tail
}

inline float gelu_poly(float x) {
  namespace c = constant;
  const float a = clamp(x, -c::kGeluPolyEnd, c::kGeluPolyEnd);
  const float s = a * a;
  float p = std::fma(c::kGeluPoly7, s, c::kGeluPoly6);
  p = std::fma(p, s, c::kGeluPoly5);
  p = std::fma(p, s, c::kGeluPoly4);
  p = std::fma(p, s, c::kGeluPoly3);
  p = std::fma(p, s, c::kGeluPoly2);
  p = std::fma(p, s, c::kGeluPoly1);
  p = std::fma(p, s, c::kGeluPoly0);
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
