// NaN and infinities in the inputs give the results kernels.h defines, in every set, wherever in the row they stand,
// and never touch another row.
#include "kernels/operand.h"

namespace potstill::kernels::testing {
namespace {

class NonFinite : public EachSet {};

constexpr float kValues[] = {NAN, INFINITY, -INFINITY};

TEST_P(NonFinite, ARowIsQuantizedToNaNAndZeros) {
  Rng rng(61);
  for (std::size_t k = 1; k <= 50; ++k) {
    const std::size_t ldq = round_up(k, 16);
    for (std::size_t place = 0; place < k; ++place) {
      Operand<float> x(Flush::End, 3 * k), scale(Flush::End, 3, 5.0f);
      Operand<int8_t> q(Flush::End, 3 * ldq, 99);
      Operand<int32_t> zero(Flush::End, 3, 77);  // untouched by the symmetric scheme, which runs first
      for (float& v : x) v = rng.uniform(0) + 2.0f;
      x[k + place] = kValues[(k + place) % 3];
      for (const bool symmetric : {true, false}) {
        (symmetric ? set().quantize_symmetric : set().quantize_asymmetric)(
            {x.data(), k, q.data(), ldq, scale.data(), symmetric ? nullptr : zero.data(), 3, k});
        ASSERT_TRUE(std::isnan(scale[1])) << "k " << k << " place " << place;
        for (std::size_t i = 0; i < ldq; ++i) ASSERT_EQ(q[ldq + i], 0) << "k " << k << " place " << place;
        ASSERT_EQ(zero[1], symmetric ? 77 : 0);
        for (const std::size_t other : {0u, 2u}) {
          ASSERT_TRUE(scale[other] > 0.0f);
          ASSERT_NE(q[other * ldq], symmetric ? 0 : zero[other]);
        }
      }
    }
  }
}

TEST_P(NonFinite, ARowOfNaNScaleGivesNaNAlone) {
  constexpr std::size_t rows = 5, n = 20, k = 18, k16 = 32;
  Rng rng(62);
  Operand<int8_t> x(Flush::End, rows * k16), w(Flush::End, n * k16);
  Operand<float> row_scale(Flush::End, rows, 0.5f), col_scale(Flush::End, 32, 0.5f), y(Flush::End, rows * n);
  Operand<int32_t> colsum(Flush::End, 32);
  row_scale[3] = NAN;
  for (std::size_t c = 0; c < n; ++c) {
    for (std::size_t i = 0; i < k; ++i) w[(c / 4) * k16 * 4 + (i / 16) * 64 + (c % 4) * 16 + i % 16] = rng.weight();
    for (std::size_t i = 0; i < k; ++i) colsum[c] += w[(c / 4) * k16 * 4 + (i / 16) * 64 + (c % 4) * 16 + i % 16];
  }
  for (std::size_t m = 0; m < rows; ++m) {
    for (std::size_t i = 0; i < k; ++i) x[m * k16 + i] = rng.activation();
  }
  for (const Activation activation : kActivations) {
    set().gemm_i8({x.data(), k16, row_scale.data(), nullptr, w.data(), col_scale.data(), colsum.data(), nullptr,
                   nullptr, 0, y.data(), n, rows, n, k, 0, n, activation});
    // What an activation makes of NaN is the reference's to say (ReLU compares).
    Operand<float> expected(Flush::End, rows * n);
    reference().gemm_i8({x.data(), k16, row_scale.data(), nullptr, w.data(), col_scale.data(), colsum.data(), nullptr,
                         nullptr, 0, expected.data(), n, rows, n, k, 0, n, activation});
    for (std::size_t i = 0; i < rows * n; ++i) {
      ASSERT_EQ(bits(y[i]), bits(expected[i])) << "activation " << static_cast<int>(activation) << " element " << i;
      ASSERT_FALSE(std::isnan(y[i]) && i / n != 3);
      ASSERT_TRUE(std::isnan(y[i]) || activation != Activation::None || i / n != 3);
    }
  }
}

TEST_P(NonFinite, F32ProductOfEveryPlace) {
  constexpr std::size_t rows = 3, n = 19;
  Rng rng(63);
  for (std::size_t k = 1; k <= 20; ++k) {
    for (std::size_t place = 0; place < k; ++place) {
      Operand<float> x(Flush::End, rows * k), w(Flush::End, round_up(n, 8) * k), y(Flush::End, rows * n);
      for (float& v : x) v = rng.uniform(0);
      for (float& v : w) v = rng.uniform(0);
      x[k + place] = NAN;
      set().gemm_f32({x.data(), k, w.data(), nullptr, nullptr, 0, y.data(), n, rows, n, k, 0, n, Activation::None});
      for (std::size_t i = 0; i < rows * n; ++i) ASSERT_EQ(std::isnan(y[i]), i / n == 1) << "k " << k;
    }
  }
}

TEST_P(NonFinite, LayerNormOfEveryPlace) {
  Rng rng(64);
  for (std::size_t n = 1; n <= 40; ++n) {
    const std::size_t ldq = round_up(n, 16);
    for (std::size_t place = 0; place < n; ++place) {
      Operand<float> x(Flush::End, 3 * n), gamma(Flush::End, n, 1.0f), beta(Flush::End, n, 0.5f), y(Flush::End, 3 * n),
          scale(Flush::End, 3);
      Operand<int8_t> q(Flush::End, 3 * ldq, 99);
      for (float& v : x) v = rng.uniform(0);
      x[n + place] = kValues[(n + place) % 3];
      set().layer_norm({x.data(), n, gamma.data(), beta.data(), y.data(), n, 3, n, 1e-5f, q.data(), ldq, scale.data()});
      for (std::size_t i = 0; i < 3 * n; ++i) ASSERT_EQ(std::isnan(y[i]), i / n == 1) << "n " << n << " i " << i;
      ASSERT_TRUE(std::isnan(scale[1]) && !std::isnan(scale[0]) && !std::isnan(scale[2]));
      for (std::size_t i = 0; i < ldq; ++i) ASSERT_EQ(q[ldq + i], 0);
    }
  }
}

POTSTILL_FOR_EACH_SET(NonFinite);

}  // namespace
}  // namespace potstill::kernels::testing
