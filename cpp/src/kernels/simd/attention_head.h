// Attention of one head over one sequence: blocks of 16 queries.  Include a set's vec.h first.
#pragma once

#include "kernels/simd/product.h"

namespace potstill::kernels {
namespace {

// k[tokens][head_size] (stride ld) -> kt[head_size][tokens16], columns past `tokens` zero.
inline void transpose_keys(const AttentionHead& a, std::size_t tokens16, float* kt) {
  for (std::size_t c = 0; c < a.head_size; ++c) {
    float* row = kt + c * tokens16;
    const float* column = a.k + c;
    for (std::size_t j = 0; j < a.tokens; ++j) row[j] = column[j * a.ld];
    for (std::size_t j = a.tokens; j < tokens16; ++j) row[j] = 0.0f;
  }
}

// v[tokens][head_size] (stride ld) -> vp[tokens][head16], columns past head_size zero.
inline void pad_values(const AttentionHead& a, std::size_t head16, float* vp) {
  for (std::size_t j = 0; j < a.tokens; ++j) {
    for (std::size_t c = 0; c < head16; c += kLanes) {
      store(vp + j * head16 + c, load_n(a.v + j * a.ld + c, lanes_left(a.head_size, c)));
    }
  }
}

// Scores to weights in place: s = exp_(s - max s), zero past `tokens`; returns 1 / sum.
inline float soften(float* s, std::size_t tokens, std::size_t tokens16) {
  for (std::size_t j = tokens; j < tokens16; ++j) s[j] = s[0];
  F top0 = load(s), top1 = load(s + kLanes);
  for (std::size_t j = 16; j < tokens16; j += 16) {
    top0 = max_any(top0, load(s + j));
    top1 = max_any(top1, load(s + j + kLanes));
  }
  const F top = splat(max_lanes(max_any(top0, top1)));
  RowSum sum;
  for (std::size_t j = 0; j < tokens16; j += 16) {
    F e0 = exp_(sub(load(s + j), top)), e1 = exp_(sub(load(s + j + kLanes), top));
    if (j + 16 > tokens) {
      e0 = first_lanes(e0, lanes_left(tokens, j));
      e1 = first_lanes(e1, lanes_left(tokens, j + kLanes));
    }
    store(s + j, e0);
    store(s + j + kLanes, e1);
    sum.add16(e0, e1);
  }
  return 1.0f / sum.total();
}

inline void attention_head_simd(const AttentionHead& a) {
  constexpr std::size_t kBlock = 16;
  const std::size_t tokens16 = round_up(a.tokens, 16), head16 = round_up(a.head_size, 16);
  float* kt = a.scratch;
  float* vp = kt + a.head_size * tokens16;
  float* s = vp + a.tokens * head16;
  transpose_keys(a, tokens16, kt);
  pad_values(a, head16, vp);
  alignas(64) float tile[kGemmRows * 16];
  float inverse[kBlock];
  for (std::size_t i0 = 0; i0 < a.tokens; i0 += kBlock) {
    const std::size_t block = smaller(kBlock, a.tokens - i0);
    const float* q = a.q + i0 * a.ld;
    for (std::size_t j = 0; j < tokens16; j += 16) {
      for (std::size_t i = 0; i < block; i += kGemmRows) {
        product(smaller(kGemmRows, block - i), q + i * a.ld, a.ld, kt + j, kt + j + kLanes, tokens16, a.head_size,
                s + i * tokens16 + j, tokens16);
      }
    }
    for (std::size_t i = 0; i < block; ++i) inverse[i] = soften(s + i * tokens16, a.tokens, tokens16);
    for (std::size_t c = 0; c < a.head_size; c += 16) {
      const std::size_t left0 = lanes_left(a.head_size, c), left1 = lanes_left(a.head_size, c + kLanes);
      for (std::size_t i = 0; i < block; i += kGemmRows) {
        const std::size_t rows = smaller(kGemmRows, block - i);
        product(rows, s + i * tokens16, tokens16, vp + c, vp + c + kLanes, head16, a.tokens, tile, 16);
        for (std::size_t r = 0; r < rows; ++r) {
          float* out = a.out + (i0 + i + r) * a.ldo + c;
          const F z = splat(inverse[i + r]);
          store_n(out, mul(load(tile + r * 16), z), left0);
          if (left1) store_n(out + kLanes, mul(load(tile + r * 16 + kLanes), z), left1);
        }
      }
    }
  }
}

}  // namespace
}  // namespace potstill::kernels
