// Word + position rows.  Include a set's vec.h first.
#pragma once

#include "kernels/simd/math.h"

namespace potstill::kernels {
namespace {

inline void embed_rows_simd(const EmbedRows& a) {
  const std::size_t body = a.n / kLanes * kLanes, left = a.n - body;
  for (std::size_t t = 0; t < a.rows; ++t) {
    const std::size_t id = static_cast<std::size_t>(a.ids[t]);
    const float* position = a.position + static_cast<std::size_t>(a.positions[t]) * a.n;
    float* y = a.y + t * a.ldy;
    if (a.word_scale) {
      const int8_t* word = static_cast<const int8_t*>(a.word) + id * a.n;
      const V scale = splat(a.word_scale[id]);
      for (std::size_t i = 0; i < body; i += kLanes) store(y + i, fma(load_i8(word + i), scale, load(position + i)));
      if (left) {
        int8_t tail[kLanes] = {};
        for (std::size_t i = 0; i < left; ++i) tail[i] = word[body + i];
        store_n(y + body, fma(load_i8(tail), scale, load_n(position + body, left)), left);
      }
    } else {
      const float* word = static_cast<const float*>(a.word) + id * a.n;
      for (std::size_t i = 0; i < body; i += kLanes) store(y + i, add(load(word + i), load(position + i)));
      if (left) store_n(y + body, add(load_n(word + body, left), load_n(position + body, left)), left);
    }
  }
}

}  // namespace
}  // namespace potstill::kernels
