// reference/math.h on vectors, operation for operation.  Include a set's vec.h first.
#pragma once

#include "kernels/coefficients.h"
#include "kernels/kernels.h"

namespace potstill::kernels {
namespace {

inline F exp_(F x) {
  namespace c = constant;
  const F a = clamp(x, splat(c::kExpMin), splat(c::kExpMax));
  const F shifted = fma(a, splat(c::kLog2E), splat(c::kMagic));
  const F n = sub(shifted, splat(c::kMagic));
  F r = fma(n, splat(-c::kLn2High), a);
  r = fma(n, splat(-c::kLn2Low), r);
  F p = fma(splat(c::kExp3), r, splat(c::kExp2));
  p = fma(p, r, splat(c::kExp1));
  p = fma(p, r, splat(c::kExp0));
  p = fma(p, r, splat(1.0f));
  p = fma(p, r, splat(1.0f));
  return mul(p, power_of_two(shifted));
}

inline F gelu(F x) {
  namespace c = constant;
  const F a = clamp(abs_(x), splat(0.0f), splat(c::kGeluEnd));
  const F t = div(splat(1.0f), fma(splat(c::kGeluP), a, splat(1.0f)));
  F p = fma(splat(c::kGelu5), t, splat(c::kGelu4));
  p = fma(p, t, splat(c::kGelu3));
  p = fma(p, t, splat(c::kGelu2));
  p = fma(p, t, splat(c::kGelu1));
  p = fma(p, t, splat(c::kGelu0));
  const F tail = mul(mul(p, t), exp_(mul(mul(a, a), splat(-0.5f))));
  return fnma(a, tail, relu(x));
}

inline F gelu_poly(F x) {
  namespace c = constant;
  const F a = clamp(x, splat(-c::kGeluPolyEnd), splat(c::kGeluPolyEnd));
  const F s = mul(a, a);
  F p = fma(splat(c::kGeluPoly7), s, splat(c::kGeluPoly6));
  p = fma(p, s, splat(c::kGeluPoly5));
  p = fma(p, s, splat(c::kGeluPoly4));
  p = fma(p, s, splat(c::kGeluPoly3));
  p = fma(p, s, splat(c::kGeluPoly2));
  p = fma(p, s, splat(c::kGeluPoly1));
  p = fma(p, s, splat(c::kGeluPoly0));
  return mul(x, fma(a, p, splat(0.5f)));
}

inline F tanh_(F x) {
  const F e = exp_(mul(abs_(x), splat(-2.0f)));
  return copysign_(div(sub(splat(1.0f), e), add(splat(1.0f), e)), x);
}

inline F gelu_tanh(F x) {
  namespace c = constant;
  const F inner = fma(mul(x, x), splat(c::kGeluTanh1), splat(c::kGeluTanh0));
  return div(x, add(splat(1.0f), exp_(mul(x, inner))));
}

template <Activation A>
inline F activate(F x) {
  if constexpr (A == Activation::Gelu) return gelu(x);
  if constexpr (A == Activation::GeluPoly) return gelu_poly(x);
  if constexpr (A == Activation::Relu) return relu(x);
  if constexpr (A == Activation::Tanh) return tanh_(x);
  if constexpr (A == Activation::GeluTanh) return gelu_tanh(x);
  return x;
}

// The 16 virtual lanes of a row sum.
struct RowSum {
  F low = splat(0.0f), high = splat(0.0f);

  void add16(F a, F b) {
    low = add(low, a);
    high = add(high, b);
  }
  void add16_squares(F a, F b) {
    low = fma(a, a, low);
    high = fma(b, b, high);
  }
  float total() const { return sum_tree(low, high); }
};

// Lanes left of `n` columns after `done`, at most a vector.
inline std::size_t lanes_left(std::size_t n, std::size_t done) {
  return n <= done ? 0 : (n - done < kLanes ? n - done : kLanes);
}

}  // namespace
}  // namespace potstill::kernels
