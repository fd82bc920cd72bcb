// Layer normalisation of rows, with int8 rows on the way.
#include "kernels/simd/quantize.h"
#include "kernels/this_set.h"

namespace potstill::kernels::POTSTILL_KERNEL_SET {

void layer_norm(const LayerNorm& a) {
  const float count = static_cast<float>(a.n);
  const std::size_t body = a.n / 16 * 16, left = a.n - body;
  for (std::size_t m = 0; m < a.rows; ++m) {
    const float* x = a.x + m * a.ldx;
    float* y = a.y + m * a.ldy;
    RowSum sum, squares;
    for (std::size_t i = 0; i < body; i += 16) sum.add16(load16(x + i));
    if (left) sum.add16(load_first(x + body, left));
    const V mean = splat(sum.total() / count);
    for (std::size_t i = 0; i < body; i += 16) squares.add16_squares(sub(load16(x + i), mean));
    if (left) squares.add16_squares(keep_first(sub(load_first(x + body, left), mean), left));
    const V inverse = splat(1.0f / __builtin_sqrtf(squares.total() / count + a.eps));
    W16 top = each<W, kVectors16>([](auto) POTSTILL_INLINE { return splat_i(0); });
    for (std::size_t i = 0; i < body; i += 16) {
      const V16 out = fma(mul(sub(load16(x + i), mean), inverse), load16(a.gamma + i), load16(a.beta + i));
      store_vs(y + i, out);
      top = max_i(top, bits_of(abs_(out)));
    }
    if (left) {
      const V16 scaled = mul(sub(load_first(x + body, left), mean), inverse);
      const V16 out = keep_first(fma(scaled, load_first(a.gamma + body, left), load_first(a.beta + body, left)), left);
      store_first(y + body, out, left);
      top = max_i(top, bits_of(abs_(out)));
    }
    if (a.q) quantize_symmetric_row(y, a.n, top, a.q + m * a.ldq, a.ldq, a.q_scale[m]);
  }
}

}  // namespace potstill::kernels::POTSTILL_KERNEL_SET
