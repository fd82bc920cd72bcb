// exp_ and the activations of every set against double precision.
#include "kernels/reference/math.h"
#include "kernels/support.h"

namespace potstill::kernels::testing {
namespace {

double true_gelu(double x) { return 0.5 * x * std::erfc(-x / std::sqrt(2.0)); }
double true_gelu_tanh(double x) {
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
}

// Applies an activation through the product with a one-element row: y = activation(x * 1 + 0).
std::vector<float> apply(const KernelTable& set, Activation activation, std::span<const float> x) {
  const std::vector<float> w(8, 1.0f);
  std::vector<float> y(x.size());
  set.gemm_f32({.x = x.data(),
                .ldx = 1,
                .w = w.data(),
                .bias = nullptr,
                .residual = nullptr,
                .ldr = 0,
                .y = y.data(),
                .ldy = 1,
                .rows = x.size(),
                .n = 1,
                .k = 1,
                .col_begin = 0,
                .col_end = 1,
                .activation = activation});
  return y;
}

// Every 4099th float from 2^-20 to 1e5 in magnitude, both signs.
std::vector<float> sweep() {
  std::vector<float> x{0.0f, -0.0f};
  for (uint32_t b = std::bit_cast<uint32_t>(0x1p-20f); b < std::bit_cast<uint32_t>(1e5f); b += 4099) {
    x.push_back(std::bit_cast<float>(b));
    x.push_back(-std::bit_cast<float>(b));
  }
  return x;
}

class Math : public EachSet {
 protected:
  // Largest |y - truth(x)| / max(1, |x|).
  double worst(Activation activation, double (*truth)(double)) {
    const std::vector<float> x = sweep(), y = apply(set(), activation, x);
    double error = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double scale = std::max(1.0, std::fabs(double{x[i]}));
      error = std::max(error, std::fabs(double{y[i]} - truth(double{x[i]})) / scale);
    }
    RecordProperty("worst", std::to_string(error));
    return error;
  }
};

TEST(ReferenceMath, ExpRelativeError) {
  double error = 0;
  for (int i = -870000; i <= 870000; i += 3) {
    const float x = static_cast<float>(i) / 10000.0f;
    error = std::max(error, std::fabs(double{reference::exp_(x)} / std::exp(double{x}) - 1));
  }
  EXPECT_LE(error, 3e-7);
  EXPECT_EQ(reference::exp_(0.0f), 1.0f);
  EXPECT_EQ(reference::exp_(-0.0f), 1.0f);
  EXPECT_EQ(reference::exp_(-INFINITY), reference::exp_(-87.0f));
  EXPECT_EQ(reference::exp_(1000.0f), reference::exp_(87.0f));
  EXPECT_TRUE(std::isnormal(reference::exp_(-1000.0f)));
  EXPECT_TRUE(std::isnan(reference::exp_(NAN)));
}

TEST_P(Math, Gelu) { EXPECT_LE(worst(Activation::Gelu, true_gelu), 3e-7); }
TEST_P(Math, GeluTanh) { EXPECT_LE(worst(Activation::GeluTanh, true_gelu_tanh), 3e-7); }
TEST_P(Math, Tanh) {
  EXPECT_LE(worst(Activation::Tanh, [](double x) { return std::tanh(x); }), 2e-7);
}
TEST_P(Math, Relu) {
  EXPECT_EQ(worst(Activation::Relu, [](double x) { return std::max(x, 0.0); }), 0.0);
}
TEST_P(Math, GeluPoly) { EXPECT_LE(worst(Activation::GeluPoly, true_gelu), 2e-4); }

// The polynomial form keeps its absolute error up to where activations of a trained model end.
TEST_P(Math, GeluPolyAbsolute) {
  std::vector<float> x;
  for (int i = -20000; i <= 20000; ++i) x.push_back(static_cast<float>(i) / 1000.0f);
  const std::vector<float> y = apply(set(), Activation::GeluPoly, x);
  for (std::size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(y[i], true_gelu(double{x[i]}), 2e-4) << x[i];
}

TEST_P(Math, NanGoesThrough) {
  const float x[] = {NAN, 1.0f, NAN};
  for (Activation activation : kActivations) {
    const std::vector<float> y = apply(set(), activation, x);
    EXPECT_TRUE(std::isnan(y[0]) && !std::isnan(y[1]) && std::isnan(y[2])) << static_cast<int>(activation);
  }
}

// All sets on a dense sweep, infinities and denormals included.
TEST_P(Math, EqualsReference) {
  std::vector<float> x = sweep();
  for (float v : {INFINITY, -INFINITY, 1e-40f, -1e-40f, 3e38f, -3e38f, 1.2e-38f, 86.9f, -87.1f, 12.0f, -12.0f})
    x.push_back(v);
  for (Activation activation : kActivations) {
    const std::vector<float> a = apply(reference(), activation, x), b = apply(set(), activation, x);
    for (std::size_t i = 0; i < x.size(); ++i)
      ASSERT_EQ(bits(a[i]), bits(b[i])) << static_cast<int>(activation) << " of " << x[i];
  }
}

POTSTILL_FOR_EACH_SET(Math);

}  // namespace
}  // namespace potstill::kernels::testing
