#include <cmath>

#include "kernels/reference/math.h"
#include "kernels/this_set.h"

namespace potstill::kernels::reference {

void l2_normalize(const L2Normalize& a) {
  RowSum squares;
  for (std::size_t i = 0; i < a.n; ++i) squares.add_square(i, a.x[i]);
  const float length = std::sqrt(squares.total());
  const float divisor = length < a.eps ? a.eps : length;  // NaN stays NaN
  for (std::size_t i = 0; i < a.n; ++i) a.y[i] = a.x[i] / divisor;
}

}  // namespace potstill::kernels::reference
