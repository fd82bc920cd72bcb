#include "kernels/simd/quantize.h"

#include "kernels/this_set.h"

namespace potstill::kernels::POTSTILL_KERNEL_SET {

// As signed integers the bits of positive floats are in order, as unsigned ones those of negative floats, above all
// positive ones: two integer maxima give both ends of the row and any NaN or infinity.
void quantize_asymmetric(const QuantizeRows& a) {
  for (std::size_t m = 0; m < a.rows; ++m) {
    int8_t* q = a.q + m * a.ldq;
    W16 positive = each<W, kVectors16>([](auto) POTSTILL_INLINE { return splat_i(0); });
    W16 negative = positive;
    for_row(a, m, [&](const V16& x) POTSTILL_INLINE {
      positive = max_i(positive, bits_of(x));
      negative = max_u(negative, bits_of(x));
    });
    const int32_t high_bits = max_lanes_i(fold(positive, [](W u, W v) POTSTILL_INLINE { return max_i(u, v); }));
    const uint32_t low_bits = max_lanes_u(fold(negative, [](W u, W v) POTSTILL_INLINE { return max_u(u, v); }));
    const bool finite = high_bits < kInfinityBits && low_bits < kNegativeInfinityBits;
    const float high = float_from_bits(static_cast<uint32_t>(high_bits));
    const float low = low_bits >= 0x80000000u ? float_from_bits(low_bits) : 0.0f;
    const float range = high - low;
    a.zero[m] = 0;
    if (!finite || range < constant::kTiny) {
      a.scale[m] = finite ? 0.0f : float_from_bits(kQuietNan);
      __builtin_memset(q, 0, a.ldq);
      continue;
    }
    a.scale[m] = range / 255.0f;
    const float inverse = 255.0f / range;
    const float rounded = __builtin_fmaf(low, inverse, constant::kMagic) - constant::kMagic;  // in [-255, 0]
    const int32_t zero = -128 - static_cast<int32_t>(rounded);
    a.zero[m] = zero < -128 ? -128 : (zero > 127 ? 127 : zero);
    quantize_row<true>((a.activated ? a.activated : a.x) + m * a.ldx, a.k, inverse, a.zero[m], q, a.ldq);
  }
}

}  // namespace potstill::kernels::POTSTILL_KERNEL_SET
