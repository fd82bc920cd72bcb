// What a scoring model's logit is given as.
#pragma once

#include <cmath>

namespace potstill::graph {

// In binary64, by the form whose exp cannot overflow.
inline double sigmoid(double x) {
  const double small = std::exp(-std::fabs(x));
  return x >= 0 ? 1 / (1 + small) : small / (1 + small);
}

}  // namespace potstill::graph
