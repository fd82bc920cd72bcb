// Attention of one head over one sequence: blocks of 16 queries.
#include "kernels/simd/product.h"
#include "kernels/this_set.h"

namespace potstill::kernels::POTSTILL_KERNEL_SET {
namespace {

// k[tokens][head_size] (stride ld) -> kt[head_size][tokens16], columns past `tokens` zero.
inline void transpose_keys(const AttentionHead& a, std::size_t tokens16, float* kt) {
  constexpr std::size_t kBlock = kTransposed;
  for (std::size_t c = 0; c < a.head_size; ++c) {
    for (std::size_t j = a.tokens; j < tokens16; ++j) kt[c * tokens16 + j] = 0.0f;
  }
  if (a.tokens < kBlock || a.head_size < kBlock) {
    for (std::size_t c = 0; c < a.head_size; ++c) {
      for (std::size_t j = 0; j < a.tokens; ++j) kt[c * tokens16 + j] = a.k[j * a.ld + c];
    }
    return;
  }
  // The last block of a side overlaps the one before it: what both write is the same.
  for (std::size_t j = 0; j < a.tokens; j += kBlock) {
    const std::size_t row = smaller(j, a.tokens - kBlock);
    for (std::size_t c = 0; c < a.head_size; c += kBlock) {
      const std::size_t column = smaller(c, a.head_size - kBlock);
      transpose(a.k + row * a.ld + column, a.ld, kt + column * tokens16 + row, tokens16);
    }
  }
}

// v[tokens][head_size] (stride ld) -> vp[tokens][head16], columns past head_size zero: rows of consecutive lines.
inline void pad_values(const AttentionHead& a, std::size_t head16, float* vp) {
  for (std::size_t j = 0; j < a.tokens; ++j) {
    const float* v = a.v + j * a.ld;
    float* row = vp + j * head16;
    std::size_t c = 0;
    for (; c + 16 <= a.head_size; c += 16) store_vs(row + c, load16(v + c));
    if (c < a.head_size) store_vs(row + c, load_first(v + c, a.head_size - c));
  }
}

// Scores to weights in place: s = exp_(s - max s), zero past `tokens`; returns 1 / sum.
inline float soften(float* s, std::size_t tokens, std::size_t tokens16) {
  for (std::size_t j = tokens; j < tokens16; ++j) s[j] = s[0];
  V16 tops = load16(s);
  for (std::size_t j = 16; j < tokens16; j += 16) tops = max_any(tops, load16(s + j));
  V top = tops.v[0];
  unroll<kVectors16>([&](auto i) POTSTILL_INLINE { top = max_any(top, tops.v[i]); });
  top = splat(max_lanes(top));
  RowSum sum;
  for (std::size_t j = 0; j < tokens16; j += 16) {
    V16 e = exp_of_negative(sub(load16(s + j), top));
    if (j + 16 > tokens) e = keep_first(e, tokens - j);
    store_vs(s + j, e);
    sum.add16(e);
  }
  return 1.0f / sum.total();
}

}  // namespace

void attention_head(const AttentionHead& a) {
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
    for (std::size_t j = 0; j < a.tokens; j += 16) {
      for (std::size_t i = 0; i < block; i += kGemmRows) {
        product(smaller(kGemmRows, block - i), smaller(16, a.tokens - j), q + i * a.ld, a.ld, kt + j, tokens16,
                a.head_size, s + i * tokens16 + j, tokens16);
      }
    }
    for (std::size_t i = 0; i < block; ++i) inverse[i] = soften(s + i * tokens16, a.tokens, tokens16);
    for (std::size_t c = 0; c < a.head_size; c += 16) {
      const std::size_t left = smaller(16, a.head_size - c);
      for (std::size_t i = 0; i < block; i += kGemmRows) {
        const std::size_t rows = smaller(kGemmRows, block - i);
        product(rows, left, s + i * tokens16, tokens16, vp + c, head16, a.tokens, tile, 16);
        for (std::size_t r = 0; r < rows; ++r) {
          float* out = a.out + (i0 + i + r) * a.ldo + c;
          const V z = splat(inverse[i + r]);
          if (left == 16) {
            store_vs(out, mul(load16(tile + r * 16), z));
          } else {
            store_first(out, mul(load16(tile + r * 16), z), left);
          }
        }
      }
    }
  }
}

}  // namespace potstill::kernels::POTSTILL_KERNEL_SET
