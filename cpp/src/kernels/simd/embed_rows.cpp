// Word + position rows.
#include "kernels/simd/math.h"
#include "kernels/this_set.h"

namespace potstill::kernels::POTSTILL_KERNEL_SET {
namespace {

// One int4 row, block by block through int8: 32 values in 16 bytes, low nibbles first.
inline void embed_row_i4(const uint8_t* word, float word_scale, const float* position, std::size_t n, float* y) {
  const V scale = splat(word_scale);
  int8_t values[32];
  for (std::size_t i = 0; i < n; i += kLanes) {
    if (i % 32 == 0) {
      for (std::size_t j = 0; j < 16; ++j) {
        const uint32_t byte = word[i / 2 + j];
        // Flip the sign bit of the nibble, then subtract its weight: two's complement without a branch.
        values[j] = static_cast<int8_t>(static_cast<int32_t>((byte & 15u) ^ 8u) - 8);
        values[16 + j] = static_cast<int8_t>(static_cast<int32_t>((byte >> 4) ^ 8u) - 8);
      }
    }
    const V q = load_i8(values + i % 32);
    if (i + kLanes <= n) {
      store(y + i, fma(q, scale, load(position + i)));
    } else {
      store_n(y + i, fma(q, scale, load_n(position + i, n - i)), n - i);
    }
  }
}

}  // namespace

void embed_rows(const EmbedRows& a) {
  const std::size_t body = a.n / kLanes * kLanes, left = a.n - body;
  for (std::size_t t = 0; t < a.rows; ++t) {
    const std::size_t id = static_cast<std::size_t>(a.ids[t]);
    const float* position = a.position + static_cast<std::size_t>(a.positions[t]) * a.n;
    float* y = a.y + t * a.ldy;
    if (a.type == WordType::I4) {
      const uint8_t* word = static_cast<const uint8_t*>(a.word) + id * (round_up(a.n, 32) / 2);
      embed_row_i4(word, a.word_scale[id], position, a.n, y);
    } else if (a.type == WordType::I8) {
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
    if (a.type_rows != nullptr) {
      const float* type =
          a.type_rows + (a.token_types == nullptr ? 0 : static_cast<std::size_t>(a.token_types[t])) * a.n;
      for (std::size_t i = 0; i < body; i += kLanes) store(y + i, add(load(y + i), load(type + i)));
      if (left) store_n(y + body, add(load_n(y + body, left), load_n(type + body, left)), left);
    }
  }
}

}  // namespace potstill::kernels::POTSTILL_KERNEL_SET
