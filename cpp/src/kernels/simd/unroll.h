// A loop over compile-time indices.  Accumulator arrays indexed by a run-time loop variable stay in memory with GCC 12;
// indexed by constants they live in registers.
#pragma once

#include <cstddef>

#define POTSTILL_INLINE __attribute__((always_inline))

namespace potstill::kernels {
namespace {

// N values of one kind, e.g. vectors whose operations run side by side.
template <class T, std::size_t N>
struct Many {
  T v[N];
};

template <std::size_t I>
struct Index {
  static constexpr std::size_t value = I;
  constexpr operator std::size_t() const { return I; }
};

template <std::size_t I, std::size_t N, class Body>
[[gnu::always_inline]] inline void unroll_from(const Body& body) {
  if constexpr (I < N) {
    body(Index<I>{});
    unroll_from<I + 1, N>(body);
  }
}

// body(Index<0>), ..., body(Index<N - 1>); the body must be marked always_inline.
template <std::size_t N, class Body>
[[gnu::always_inline]] inline void unroll(const Body& body) {
  unroll_from<0, N>(body);
}

}  // namespace
}  // namespace potstill::kernels
