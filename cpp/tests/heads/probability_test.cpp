#include "heads/probability.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace potstill::heads {
namespace {

std::vector<double> softmax_of(const std::vector<float>& row, double temperature = 1) {
  std::vector<double> out(row.size());
  softmax(row, temperature, out);
  return out;
}

TEST(Softmax, SumsToOneForAnyFiniteLogits) {
  const std::vector<std::vector<float>> rows{{0.f}, {1.f, 1.f}, {1e38f, -1e38f, 0.f}, {-5.f, 2.f, 3.f}};
  for (const auto& row : rows) {
    double sum = 0;
    for (const double p : softmax_of(row)) sum += p;
    EXPECT_NEAR(sum, 1, 1e-12);
  }
  EXPECT_NEAR(softmax_of({0.f, std::log(3.f)})[1], 0.75, 1e-7);
  EXPECT_TRUE(softmax_of({}).empty());
}

TEST(Softmax, TemperatureFlattens) {
  const std::vector<float> row{0.f, 2.f};
  EXPECT_NEAR(softmax_of(row, 2)[1], 1 / (1 + std::exp(-1.0)), 1e-15);
  EXPECT_LT(softmax_of(row, 1e3)[1], softmax_of(row)[1]);
}

// One at a time, 2^-53 is lost 64 times; the exact sum is 1 + 2^-47.
TEST(Softmax, TheSumIsRoundedOnce) {
  std::vector<float> row(65, static_cast<float>(-53 * std::log(2.0)));
  row[0] = 0;
  double small = std::exp(static_cast<double>(row[1]));
  EXPECT_EQ(softmax_of(row)[0], 1 / (1 + 64 * small));
  double naive = 1;
  for (int i = 0; i < 64; ++i) naive += small * 0.9;
  EXPECT_EQ(naive, 1);
}

TEST(Sigmoid, StaysInRangeForAnyFiniteLogit) {
  EXPECT_EQ(sigmoid(0), 0.5);
  EXPECT_NEAR(sigmoid(std::log(3.0)), 0.75, 1e-15);
  EXPECT_EQ(sigmoid(-1e38), 0);
  EXPECT_EQ(sigmoid(1e38), 1);
  EXPECT_NEAR(sigmoid(-3) + sigmoid(3), 1, 1e-15);
}

}  // namespace
}  // namespace potstill::heads
