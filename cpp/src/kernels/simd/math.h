// reference/math.h on vectors, operation for operation.  T is Vs<N>.  Include a set's vec.h first.
#pragma once

#include "kernels/coefficients.h"
#include "kernels/kernels.h"
#include "kernels/simd/vs.h"

namespace potstill::kernels {
namespace {

// Addends of the polynomials, each in four lanes so that a set may load it as a vector.
#define POTSTILL_LANES(c) {c, c, c, c}
alignas(16) static constexpr float kExpTable[][4] = {POTSTILL_LANES(constant::kMagic), POTSTILL_LANES(constant::kExp0),
                                                     POTSTILL_LANES(constant::kExp2)};
alignas(16) static constexpr float kGeluTable[][4] = {
    POTSTILL_LANES(constant::kGelu0), POTSTILL_LANES(constant::kGelu2), POTSTILL_LANES(constant::kGelu4)};
alignas(16) static constexpr float kGeluPolyTable[][4] = {POTSTILL_LANES(constant::kGeluPoly0),
                                                          POTSTILL_LANES(constant::kGeluPoly2),
                                                          POTSTILL_LANES(constant::kGeluPoly4), POTSTILL_LANES(0.5f)};
#undef POTSTILL_LANES

// For x <= 0 (or NaN), where the upper clamp of the specification changes nothing.
template <class T>
POTSTILL_INLINE inline T exp_of_negative(const T& x) {
  namespace c = constant;
  const float(*table)[4] = constants(kExpTable);
  const T a = at_least(x, splat(c::kExpMin));
  const T shifted = fma(a, splat(c::kLog2E), addend(table[0]));
  const T n = sub(shifted, splat(c::kMagic));
  T r = fnma(n, splat(c::kLn2High), a);
  r = fnma(n, splat(c::kLn2Low), r);
  const T r2 = mul(r, r);
  const T low = fma(r, splat(c::kExp1), addend(table[1])), high = fma(r, splat(c::kExp3), addend(table[2]));
  return mul(fma(fma(high, r2, low), r2, add(r, splat(1.0f))), power_of_two(shifted));
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
  const float(*table)[4] = constants(kGeluTable);
  const T t2 = mul(t, t);
  const T p01 = fma(t, splat(c::kGelu1), addend(table[0])), p23 = fma(t, splat(c::kGelu3), addend(table[1]));
  const T p45 = fma(t, splat(c::kGelu5), addend(table[2]));
  const T p = fma(fma(p45, t2, p23), t2, p01);
  const T tail = mul(mul(p, t), exp_of_negative(mul(mul(a, a), splat(-0.5f))));
  return fnma(a, tail, relu(x));
}

template <class T>
POTSTILL_INLINE inline T gelu_poly(const T& x) {
  namespace c = constant;
  const float(*table)[4] = constants(kGeluPolyTable);
  const T a = at_most(at_least(x, splat(-c::kGeluPolyEnd)), splat(c::kGeluPolyEnd));
  const T s = mul(a, a);
  const T s2 = mul(s, s), s4 = mul(s2, s2);
  const T p01 = fma(s, splat(c::kGeluPoly1), addend(table[0])), p23 = fma(s, splat(c::kGeluPoly3), addend(table[1]));
  const T p45 = fma(s, splat(c::kGeluPoly5), addend(table[2]));
  const T p = fma(fma(s2, splat(c::kGeluPoly6), p45), s4, fma(p23, s2, p01));
  return mul(x, fma(a, p, addend(table[3])));
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
