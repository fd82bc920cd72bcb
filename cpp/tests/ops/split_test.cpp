// Tasks of a matrix product cover it once, in blocks the kernels accept.
#include "ops/split.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace potstill::ops {
namespace {

TEST(Split, CoversEveryElementOnce) {
  for (const int threads : {1, 2, 3, 4, 7}) {
    for (const std::size_t rows : {std::size_t{1}, std::size_t{5}, std::size_t{127}, std::size_t{129}, std::size_t{130},
                                   std::size_t{256}, std::size_t{1000}}) {
      for (const std::size_t n :
           {std::size_t{1}, std::size_t{3}, std::size_t{16}, std::size_t{312}, std::size_t{936}}) {
        for (const std::size_t k : {std::size_t{8}, std::size_t{1200}}) {
          const Split split = split_product(rows, n, k, threads);
          ASSERT_EQ(split.columns % 16, 0u);
          ASSERT_EQ(split.tasks % split.row_blocks, 0u);
          std::vector<int> seen(rows * n, 0);
          for (std::size_t task = 0; task < split.tasks; ++task) {
            const std::size_t row = task % split.row_blocks * split.rows;
            const std::size_t column = task / split.row_blocks * split.columns;
            ASSERT_LT(row, rows);
            ASSERT_LT(column, n);
            for (std::size_t r = row; r < std::min(rows, row + split.rows); ++r) {
              for (std::size_t c = column; c < std::min(n, column + split.columns); ++c) ++seen[r * n + c];
            }
          }
          ASSERT_TRUE(std::all_of(seen.begin(), seen.end(), [](int hits) { return hits == 1; }))
              << rows << " x " << n << " x " << k << ", " << threads << " threads";
        }
      }
    }
  }
}

TEST(Split, KeepsSmallProductsWhole) {
  EXPECT_EQ(split_product(1, 3, 312, 4).tasks, 1u);
  EXPECT_EQ(split_product(16, 312, 312, 1).tasks, 1u);
}

// The share of the busiest of equal threads is within a tenth of the mean one.
TEST(Split, BalancesTheProductsOfAnEncoder) {
  for (const int threads : {2, 4}) {
    const auto team = static_cast<std::size_t>(threads);
    for (const std::size_t rows : {std::size_t{16}, std::size_t{64}, std::size_t{256}}) {
      for (const std::size_t n : {std::size_t{312}, std::size_t{384}, std::size_t{936}, std::size_t{1200}}) {
        const Split split = split_product(rows, n, 312, threads);
        const std::size_t busiest = (split.tasks + team - 1) / team * split.rows * split.columns;
        EXPECT_LE(static_cast<double>(busiest) * static_cast<double>(team), 1.1 * static_cast<double>(rows * n))
            << rows << " x " << n << ", " << threads << " threads";
      }
    }
  }
}

TEST(Split, CutsRowsOnlyWhenThereAreMany) {
  EXPECT_EQ(split_product(64, 312, 312, 2).row_blocks, 1u);
  EXPECT_GE(split_product(256, 312, 312, 2).row_blocks, 2u);
  EXPECT_EQ(split_product(256, 312, 312, 2).rows % 12, 0u);
}

}  // namespace
}  // namespace potstill::ops
