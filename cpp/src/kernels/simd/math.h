// reference/math.h on vectors, operation for operation.  T is Vs<N>.  Include a set's vec.h first.
#pragma once

#include "kernels/coefficients.h"
#include "kernels/kernels.h"
#include "kernels/simd/vs.h"

namespace potstill::kernels {
namespace {

// For x <= 0 (or NaN), where the upper clamp of the specification changes nothing.
template <class T>
POTSTILL_INLINE inline T exp_of_negative(const T& x) {
  namespace c = constant;
  const T a = at_least(x, splat(c::kExpMin));
  const T shifted = fma(a, splat(c::kLog2E), splat(c::kMagic));
  const T n = sub(shifted, splat(c::kMagic));
  T r = fnma(n, splat(c::kLn2High), a);
  r = fnma(n, splat(c::kLn2Low), r);
  T p = fma(r, splat(c::kExp3), splat(c::kExp2));
  p = fma(p, r, splat(c::kExp1));
  p = fma(p, r, splat(c::kExp0));
  p = fma(p, r, splat(1.0f));
  p = fma(p, r, splat(1.0f));
  return mul(p, power_of_two(shifted));
}

template <class T>
POTSTILL_INLINE inline T exp_(const T& x) {
  return exp_of_negative(at_most(x, splat(constant::kExpMax)));
}

template <class T>
POTSTILL_INLINE inline T gelu(const T& x) {
  namespace c = constant;
  const T a = at_most(abs_(x), splat(c::kGeluEnd));
  const T t = div(splat_as<T>(1.0f), fma(a, splat(c::kGeluP), splat(1.0f)));
  T p = fma(t, splat(c::kGelu5), splat(c::kGelu4));
  p = fma(p, t, splat(c::kGelu3));
  p = fma(p, t, splat(c::kGelu2));
  p = fma(p, t, splat(c::kGelu1));
  p = fma(p, t, splat(c::kGelu0));
  const T tail = mul(mul(p, t), exp_of_negative(mul(mul(a, a), splat(-0.5f))));
  return fnma(a, tail, relu(x));
}

template <class T>
POTSTILL_INLINE inline T gelu_poly(const T& x) {
  namespace c = constant;
  const T a = at_most(at_least(x, splat(-c::kGeluPolyEnd)), splat(c::kGeluPolyEnd));
  const T s = mul(a, a);
  T p = fma(s, splat(c::kGeluPoly7), splat(c::kGeluPoly6));
  p = fma(p, s, splat(c::kGeluPoly5));
  p = fma(p, s, splat(c::kGeluPoly4));
  p = fma(p, s, splat(c::kGeluPoly3));
  p = fma(p, s, splat(c::kGeluPoly2));
  p = fma(p, s, splat(c::kGeluPoly1));
  p = fma(p, s, splat(c::kGeluPoly0));
  return mul(x, fma(a, p, splat(0.5f)));
}

template <class T>
POTSTILL_INLINE inline T tanh_(const T& x) {
  const T e = exp_of_negative(mul(abs_(x), splat(-2.0f)));
  return copysign_(div(sub(splat(1.0f), e), add(e, splat(1.0f))), x);
}

template <class T>
POTSTILL_INLINE inline T gelu_tanh(const T& x) {
  namespace c = constant;
  const T inner = fma(mul(x, x), splat(c::kGeluTanh1), splat(c::kGeluTanh0));
  return div(x, add(exp_(mul(x, inner)), splat(1.0f)));
}

template <Activation A, class T>
POTSTILL_INLINE inline T activate(const T& x) {
  if constexpr (A == Activation::Gelu) return gelu(x);
  if constexpr (A == Activation::GeluPoly) return gelu_poly(x);
  if constexpr (A == Activation::Relu) return relu(x);
  if constexpr (A == Activation::Tanh) return tanh_(x);
  if constexpr (A == Activation::GeluTanh) return gelu_tanh(x);
  return x;
}

// Calls body(Index<activation>): the switch stands outside the code it chooses.
template <class Body>
POTSTILL_INLINE inline void with_activation(Activation activation, const Body& body) {
  switch (activation) {
    case Activation::None:
      return body(Index<static_cast<std::size_t>(Activation::None)>{});
    case Activation::Gelu:
      return body(Index<static_cast<std::size_t>(Activation::Gelu)>{});
    case Activation::GeluPoly:
      return body(Index<static_cast<std::size_t>(Activation::GeluPoly)>{});
    case Activation::Relu:
      return body(Index<static_cast<std::size_t>(Activation::Relu)>{});
    case Activation::Tanh:
      return body(Index<static_cast<std::size_t>(Activation::Tanh)>{});
    case Activation::GeluTanh:
      return body(Index<static_cast<std::size_t>(Activation::GeluTanh)>{});
  }
}

// The 16 virtual lanes of a row sum.
struct RowSum {
  V16 lanes = splat_as<V16>(0.0f);

  void add16(const V16& x) { lanes = add(lanes, x); }
  void add16_squares(const V16& x) { lanes = fma(x, x, lanes); }
  float total() const { return sum_tree(lanes.v); }
};

}  // namespace
}  // namespace potstill::kernels
