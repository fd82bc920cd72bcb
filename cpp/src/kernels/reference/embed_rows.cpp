#include <cmath>

#include "kernels/sets.h"

namespace potstill::kernels::reference {

void embed_rows(const EmbedRows& a) {
  for (std::size_t t = 0; t < a.rows; ++t) {
    const std::size_t id = static_cast<std::size_t>(a.ids[t]);
    const float* position = a.position + static_cast<std::size_t>(a.positions[t]) * a.n;
    float* y = a.y + t * a.ldy;
    if (a.word_scale) {
      const int8_t* word = static_cast<const int8_t*>(a.word) + id * a.n;
      for (std::size_t i = 0; i < a.n; ++i) {
        y[i] = std::fma(static_cast<float>(word[i]), a.word_scale[id], position[i]);
      }
    } else {
      const float* word = static_cast<const float*>(a.word) + id * a.n;
      for (std::size_t i = 0; i < a.n; ++i) y[i] = word[i] + position[i];
    }
  }
}

}  // namespace potstill::kernels::reference
