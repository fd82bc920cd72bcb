// Mean over the rows of a sequence.
#include "kernels/simd/math.h"
#include "kernels/this_set.h"

namespace potstill::kernels::POTSTILL_KERNEL_SET {

void mean_pool(const MeanPool& a) {
  const V inverse = splat(1.0f / static_cast<float>(a.tokens));
  std::size_t c = 0;
  // 32 columns at a time: one chain of additions alone would wait for the adder's latency.
  constexpr std::size_t kWide = 2 * kVectors16;
  for (; c + 32 <= a.n; c += 32) {
    Vs<kWide> sum = splat_as<Vs<kWide>>(0.0f);
    for (std::size_t t = 0; t < a.tokens; ++t) sum = add(sum, load_vs<kWide>(a.x + t * a.ldx + c));
    store_vs(a.y + c, mul(sum, inverse));
  }
  for (; c < a.n; c += 16) {
    const std::size_t left = smaller(16, a.n - c);
    V16 sum = splat_as<V16>(0.0f);
    for (std::size_t t = 0; t < a.tokens; ++t) sum = add(sum, load_first(a.x + t * a.ldx + c, left));
    store_first(a.y + c, mul(sum, inverse), left);
  }
}

}  // namespace potstill::kernels::POTSTILL_KERNEL_SET
