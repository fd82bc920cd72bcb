#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tools/json.h"

namespace potstill::tools {
namespace {

TEST(Json, StringsAreAlwaysValid) {
  EXPECT_EQ(quoted("plain"), "\"plain\"");
  EXPECT_EQ(quoted("a \"b\" \\ \n\x1f"), "\"a \\\"b\\\" \\\\ \\u000a\\u001f\"");
  EXPECT_EQ(quoted("caf\xc3\xa9"), "\"caf\xc3\xa9\"");
  EXPECT_EQ(quoted("x\xff"), "\"x\\ufffd\"");
}

TEST(Json, NumbersAreAlwaysValid) {
  EXPECT_EQ(number(0.5), "0.5");
  EXPECT_EQ(number(std::nan("")), "null");
  EXPECT_EQ(number(std::numeric_limits<double>::infinity()), "null");
}

TEST(Softmax, SumsToOneForAnyFiniteLogits) {
  const std::vector<std::vector<float>> rows{{0.f}, {1.f, 1.f}, {1e38f, -1e38f, 0.f}, {-5.f, 2.f, 3.f}};
  for (const auto& row : rows) {
    double sum = 0;
    for (const double p : softmax(row)) sum += p;
    EXPECT_NEAR(sum, 1, 1e-12);
  }
  EXPECT_NEAR(softmax(std::vector<float>{0.f, std::log(3.f)})[1], 0.75, 1e-7);
  EXPECT_TRUE(softmax({}).empty());
}

TEST(Sigmoid, StaysInRangeForAnyFiniteLogit) {
  const std::vector<double> scores = sigmoid(std::vector<float>{0.f, std::log(3.f), -1e38f, 1e38f, -3.f, 3.f});
  EXPECT_EQ(scores[0], 0.5);
  EXPECT_NEAR(scores[1], 0.75, 1e-7);
  EXPECT_EQ(scores[2], 0);
  EXPECT_EQ(scores[3], 1);
  EXPECT_NEAR(scores[4] + scores[5], 1, 1e-12);
}

}  // namespace
}  // namespace potstill::tools
