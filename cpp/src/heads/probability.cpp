#include "heads/probability.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace potstill::heads {
namespace {

// The sum rounded once: partial sums that do not overlap (Shewchuk 1997), added from the largest, and where the rest
// is half a unit in the last place, to even as if all were added at once. Terms are in [0, 1].
double exact_sum(std::span<const double> terms) {
  std::vector<double> partials;
  for (double x : terms) {
    std::size_t kept = 0;
    for (double y : partials) {
      if (std::fabs(x) < std::fabs(y)) std::swap(x, y);
      const double high = x + y, low = y - (high - x);
      if (low != 0) partials[kept++] = low;
      x = high;
    }
    partials.resize(kept);
    partials.push_back(x);
  }
  double sum = 0, rest = 0;
  while (!partials.empty() && rest == 0) {
    const double x = sum, y = partials.back();
    partials.pop_back();
    sum = x + y;
    rest = y - (sum - x);
  }
  const bool same_side = !partials.empty() && ((rest < 0 && partials.back() < 0) || (rest > 0 && partials.back() > 0));
  if (same_side) {
    const double twice = 2 * rest, rounded = sum + twice;
    if (rounded - sum == twice) sum = rounded;
  }
  return sum;
}

}  // namespace

double sigmoid(double x) noexcept {
  const double small = std::exp(-std::fabs(x));
  return x >= 0 ? 1 / (1 + small) : small / (1 + small);
}

void softmax(std::span<const float> row, double temperature, std::span<double> out) {
  if (row.empty()) return;
  const double top = *std::max_element(row.begin(), row.end());
  for (std::size_t i = 0; i < row.size(); ++i) out[i] = std::exp((row[i] - top) / temperature);
  const double total = exact_sum(out);
  for (double& value : out) value /= total;
}

}  // namespace potstill::heads
