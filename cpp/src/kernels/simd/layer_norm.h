// Layer normalisation of rows.  Include a set's vec.h first.
#pragma once

#include "kernels/simd/quantize.h"

namespace potstill::kernels {
namespace {

inline void layer_norm_simd(const LayerNorm& a) {
  const float count = static_cast<float>(a.n);
  const std::size_t body = a.n / 16 * 16;
  const std::size_t left0 = lanes_left(a.n, body), left1 = lanes_left(a.n, body + kLanes);
  for (std::size_t m = 0; m < a.rows; ++m) {
    const float* x = a.x + m * a.ldx;
    float* y = a.y + m * a.ldy;
    RowSum sum, squares;
    for (std::size_t i = 0; i < body; i += 16) sum.add16(load(x + i), load(x + i + kLanes));
    if (left0) sum.add16(load_n(x + body, left0), load_n(x + body + kLanes, left1));
    const F mean = splat(sum.total() / count);
    for (std::size_t i = 0; i < body; i += 16) {
      squares.add16_squares(sub(load(x + i), mean), sub(load(x + i + kLanes), mean));
    }
    if (left0) {
      squares.add16_squares(first_lanes(sub(load_n(x + body, left0), mean), left0),
                            first_lanes(sub(load_n(x + body + kLanes, left1), mean), left1));
    }
    const F inverse = splat(1.0f / __builtin_sqrtf(squares.total() / count + a.eps));
    for (std::size_t i = 0; i < a.n; i += kLanes) {
      const std::size_t left = lanes_left(a.n, i);
      if (left == kLanes) {
        store(y + i, fma(mul(sub(load(x + i), mean), inverse), load(a.gamma + i), load(a.beta + i)));
      } else {
        const F scaled = mul(sub(load_n(x + i, left), mean), inverse);
        store_n(y + i, fma(scaled, load_n(a.gamma + i, left), load_n(a.beta + i, left)), left);
      }
    }
    if (a.q) quantize_symmetric_simd({y, a.ldy, a.q + m * a.ldq, a.ldq, a.q_scale + m, nullptr, 1, a.n});
  }
}

}  // namespace
}  // namespace potstill::kernels
