// Mean over the rows of a sequence.  Include a set's vec.h first.
#pragma once

#include "kernels/simd/math.h"

namespace potstill::kernels {
namespace {

inline void mean_pool_simd(const MeanPool& a) {
  const F inverse = splat(1.0f / static_cast<float>(a.tokens));
  std::size_t c = 0;
  // Four vectors at a time: one chain of additions alone would wait for the adder's latency.
  for (; c + 4 * kLanes <= a.n; c += 4 * kLanes) {
    F s0 = splat(0.0f), s1 = s0, s2 = s0, s3 = s0;
    for (std::size_t t = 0; t < a.tokens; ++t) {
      const float* x = a.x + t * a.ldx + c;
      s0 = add(s0, load(x));
      s1 = add(s1, load(x + kLanes));
      s2 = add(s2, load(x + 2 * kLanes));
      s3 = add(s3, load(x + 3 * kLanes));
    }
    store(a.y + c, mul(s0, inverse));
    store(a.y + c + kLanes, mul(s1, inverse));
    store(a.y + c + 2 * kLanes, mul(s2, inverse));
    store(a.y + c + 3 * kLanes, mul(s3, inverse));
  }
  for (; c < a.n; c += kLanes) {
    const std::size_t left = lanes_left(a.n, c);
    F sum = splat(0.0f);
    for (std::size_t t = 0; t < a.tokens; ++t) sum = add(sum, load_n(a.x + t * a.ldx + c, left));
    store_n(a.y + c, mul(sum, inverse), left);
  }
}

}  // namespace
}  // namespace potstill::kernels
