#include <cmath>

#include "kernels/reference/math.h"
#include "kernels/sets.h"

namespace potstill::kernels::reference {
namespace {

int32_t rne_product(float u, float v) {
  return static_cast<int32_t>(std::fma(u, v, constant::kMagic) - constant::kMagic);
}
int32_t clamp_i8(int32_t v) { return v < -128 ? -128 : (v > 127 ? 127 : v); }

bool all_finite(const float* x, std::size_t k) {
  for (std::size_t i = 0; i < k; ++i) {
    if (!std::isfinite(x[i])) return false;
  }
  return true;
}

// Row m as it is to be quantized.
const float* activated_row(const QuantizeRows& a, std::size_t m) {
  const float* x = a.x + m * a.ldx;
  if (!a.activated) return x;
  float* y = a.activated + m * a.ldx;
  for (std::size_t i = 0; i < a.k; ++i) y[i] = activate(x[i], a.activation);
  return y;
}

void zero_row(int8_t* q, std::size_t ldq) {
  for (std::size_t i = 0; i < ldq; ++i) q[i] = 0;
}

}  // namespace

void quantize_symmetric(const QuantizeRows& a) {
  for (std::size_t m = 0; m < a.rows; ++m) {
    const float* x = activated_row(a, m);
    int8_t* q = a.q + m * a.ldq;
    zero_row(q, a.ldq);
    if (!all_finite(x, a.k)) {
      a.scale[m] = quiet_nan();
      continue;
    }
    float high = 0.0f;
    for (std::size_t i = 0; i < a.k; ++i) high = std::fabs(x[i]) > high ? std::fabs(x[i]) : high;
    if (high < constant::kTiny) {
      a.scale[m] = 0.0f;
      continue;
    }
    a.scale[m] = high / 127.0f;
    const float inverse = 127.0f / high;
    for (std::size_t i = 0; i < a.k; ++i) q[i] = static_cast<int8_t>(rne_product(x[i], inverse));
  }
}

void quantize_asymmetric(const QuantizeRows& a) {
  for (std::size_t m = 0; m < a.rows; ++m) {
    const float* x = activated_row(a, m);
    int8_t* q = a.q + m * a.ldq;
    zero_row(q, a.ldq);
    a.zero[m] = 0;
    if (!all_finite(x, a.k)) {
      a.scale[m] = quiet_nan();
      continue;
    }
    float low = 0.0f, high = 0.0f;
    for (std::size_t i = 0; i < a.k; ++i) {
      low = x[i] < low ? x[i] : low;
      high = x[i] > high ? x[i] : high;
    }
    const float range = high - low;
    if (range < constant::kTiny) {
      a.scale[m] = 0.0f;
      continue;
    }
    a.scale[m] = range / 255.0f;
    const float inverse = 255.0f / range;
    const int32_t zero = clamp_i8(-128 - rne_product(low, inverse));
    a.zero[m] = zero;
    for (std::size_t i = 0; i < a.k; ++i) q[i] = static_cast<int8_t>(clamp_i8(rne_product(x[i], inverse) + zero));
  }
}

}  // namespace potstill::kernels::reference
