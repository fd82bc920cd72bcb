#include <cmath>

#include "kernels/reference/math.h"
#include "kernels/this_set.h"

namespace potstill::kernels::reference {

void attention_head(const AttentionHead& a) {
  float* s = a.scratch;  // one row of scores
  for (std::size_t i = 0; i < a.tokens; ++i) {
    const float* q = a.q + i * a.ld;
    for (std::size_t j = 0; j < a.tokens; ++j) {
      const float* k = a.k + j * a.ld;
      s[j] = 0.0f;
      for (std::size_t c = 0; c < a.head_size; ++c) s[j] = std::fma(q[c], k[c], s[j]);
    }
    // A NaN score makes the whole row NaN below, whatever the maximum is.
    float high = s[0];
    for (std::size_t j = 1; j < a.tokens; ++j) high = s[j] > high ? s[j] : high;
    RowSum sum;
    for (std::size_t j = 0; j < a.tokens; ++j) {
      s[j] = exp_(s[j] - high);
      sum.add(j, s[j]);
    }
    const float inverse = 1.0f / sum.total();
    for (std::size_t c = 0; c < a.head_size; ++c) {
      float acc = 0.0f;
      for (std::size_t j = 0; j < a.tokens; ++j) acc = std::fma(s[j], a.v[j * a.ld + c], acc);
      a.out[i * a.ldo + c] = acc * inverse;
    }
  }
}

}  // namespace potstill::kernels::reference
