// Several vectors as one value: every operation runs on each in turn, so their latencies overlap.  A set's vec.h gives
// V (kLanes floats), W (kLanes int32) and the operations on one; this lifts them.  Include the set's vec.h first.
#pragma once

#include "kernels/simd/unroll.h"

namespace potstill::kernels {
namespace {

template <std::size_t N>
using Vs = Many<V, N>;
template <std::size_t N>
using Ws = Many<W, N>;

// 16 columns: the virtual lanes of the numeric specification.
constexpr std::size_t kVectors16 = 16 / kLanes;
using V16 = Vs<kVectors16>;
using W16 = Ws<kVectors16>;

template <class T>
constexpr std::size_t kMany = 0;
template <class T, std::size_t N>
constexpr std::size_t kMany<Many<T, N>> = N;

template <class... A>
constexpr std::size_t widest() {
  std::size_t n = 0;
  ((n = kMany<A> > n ? kMany<A> : n), ...);
  return n;
}

// Element i of a Many, or the vector itself for every i.
template <class T>
POTSTILL_INLINE inline T at(const T& x, std::size_t) {
  return x;
}
template <class T, std::size_t N>
POTSTILL_INLINE inline T at(const Many<T, N>& x, std::size_t i) {
  return x.v[i];
}

template <class R, std::size_t N, class Body>
POTSTILL_INLINE inline Many<R, N> each(const Body& body) {
  Many<R, N> out;
  unroll<N>([&](auto i) POTSTILL_INLINE { out.v[i] = body(i); });
  return out;
}

#define POTSTILL_LIFT(name, R)                                                                 \
  template <class... A>                                                                        \
    requires(widest<A...>() > 0)                                                               \
  POTSTILL_INLINE inline Many<R, widest<A...>()> name(const A&... a) {                         \
    return each<R, widest<A...>()>([&](auto i) POTSTILL_INLINE { return name(at(a, i)...); }); \
  }
POTSTILL_LIFT(add, V)
POTSTILL_LIFT(sub, V)
POTSTILL_LIFT(mul, V)
POTSTILL_LIFT(div, V)
POTSTILL_LIFT(fma, V)
POTSTILL_LIFT(fnma, V)
POTSTILL_LIFT(max_any, V)
POTSTILL_LIFT(at_least, V)
POTSTILL_LIFT(at_most, V)
POTSTILL_LIFT(relu, V)
POTSTILL_LIFT(abs_, V)
POTSTILL_LIFT(copysign_, V)
POTSTILL_LIFT(power_of_two, V)
POTSTILL_LIFT(to_f, V)
POTSTILL_LIFT(add_i, W)
POTSTILL_LIFT(sub_i, W)
POTSTILL_LIFT(max_i, W)
POTSTILL_LIFT(max_u, W)
POTSTILL_LIFT(bits_of, W)
#undef POTSTILL_LIFT

template <class T>
POTSTILL_INLINE inline T splat_as(float x) {
  T out;
  if constexpr (kMany<T> == 0) {
    out = splat(x);
  } else {
    unroll<kMany<T>>([&](auto i) POTSTILL_INLINE { out.v[i] = splat(x); });
  }
  return out;
}

inline std::size_t smaller(std::size_t a, std::size_t b) { return a < b ? a : b; }

// Lanes of vector i among the first n of a group.
inline std::size_t lanes_of(std::size_t n, std::size_t i) {
  return n <= i * kLanes ? 0 : smaller(n - i * kLanes, kLanes);
}

template <std::size_t N>
POTSTILL_INLINE inline Vs<N> load_vs(const float* p) {
  return each<V, N>([&](auto i) POTSTILL_INLINE { return load(p + i * kLanes); });
}
POTSTILL_INLINE inline V16 load16(const float* p) { return load_vs<kVectors16>(p); }
template <std::size_t N>
POTSTILL_INLINE inline void store_vs(float* p, const Vs<N>& x) {
  unroll<N>([&](auto i) POTSTILL_INLINE { store(p + i * kLanes, x.v[i]); });
}
// The first n floats, zeros after them; nothing past p + n is touched.
template <std::size_t N = kVectors16>
POTSTILL_INLINE inline Vs<N> load_first(const float* p, std::size_t n) {
  return each<V, N>([&](auto i) POTSTILL_INLINE { return load_n(p + i * kLanes, lanes_of(n, i)); });
}
template <std::size_t N>
POTSTILL_INLINE inline void store_first(float* p, const Vs<N>& x, std::size_t n) {
  unroll<N>([&](auto i) POTSTILL_INLINE { store_n(p + i * kLanes, x.v[i], lanes_of(n, i)); });
}
// Zeros from lane n on.
POTSTILL_INLINE inline V16 keep_first(const V16& x, std::size_t n) {
  return each<V, kVectors16>([&](auto i) POTSTILL_INLINE { return first_lanes(x.v[i], lanes_of(n, i)); });
}

}  // namespace
}  // namespace potstill::kernels
