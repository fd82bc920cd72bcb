#include <cmath>

#include "kernels/reference/math.h"
#include "kernels/this_set.h"

namespace potstill::kernels::reference {

void embed_rows(const EmbedRows& a) {
  for (std::size_t t = 0; t < a.rows; ++t) {
    const std::size_t id = static_cast<std::size_t>(a.ids[t]);
    const float* position = a.position + static_cast<std::size_t>(a.positions[t]) * a.n;
    float* y = a.y + t * a.ldy;
    if (a.type == WordType::I4) {
      const uint8_t* word = static_cast<const uint8_t*>(a.word) + id * (round_up(a.n, 32) / 2);
      for (std::size_t i = 0; i < a.n; ++i) {
        const int32_t q = nibble(word + i / 32 * 16, i % 32);
        y[i] = std::fma(static_cast<float>(q), a.word_scale[id], position[i]);
      }
    } else if (a.type == WordType::I8) {
      const int8_t* word = static_cast<const int8_t*>(a.word) + id * a.n;
      for (std::size_t i = 0; i < a.n; ++i) {
        y[i] = std::fma(static_cast<float>(word[i]), a.word_scale[id], position[i]);
      }
    } else {
      const float* word = static_cast<const float*>(a.word) + id * a.n;
      for (std::size_t i = 0; i < a.n; ++i) y[i] = word[i] + position[i];
    }
    if (a.type_rows != nullptr) {
      const float* type =
          a.type_rows + (a.token_types == nullptr ? 0 : static_cast<std::size_t>(a.token_types[t])) * a.n;
      for (std::size_t i = 0; i < a.n; ++i) y[i] = y[i] + type[i];
    }
  }
}

}  // namespace potstill::kernels::reference
