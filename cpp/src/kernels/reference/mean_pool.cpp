#include "kernels/this_set.h"

namespace potstill::kernels::reference {

void mean_pool(const MeanPool& a) {
  const float inverse = 1.0f / static_cast<float>(a.tokens);
  for (std::size_t c = 0; c < a.n; ++c) {
    float sum = 0.0f;
    for (std::size_t t = 0; t < a.tokens; ++t) sum += a.x[t * a.ldx + c];
    a.y[c] = sum * inverse;
  }
}

}  // namespace potstill::kernels::reference
