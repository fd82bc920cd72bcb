// A host program's floating point settings neither change our results nor are changed by us.
#include "parallel/fp_state.h"

#include <gtest/gtest.h>

#include <cfenv>
#include <cstring>

#include "potstill/model.hpp"
#include "support/tiny_bert.h"

namespace potstill {
namespace {

TEST(FpState, RoundingModeOfTheCallerDoesNotMatter) {
  const auto file = testing::TinyBert(testing::TinyShape{.quantized = true}).file();
  const Model model = Model::from_memory(file, 2);
  const std::vector<std::vector<int32_t>> batch{{1, 2, 3, 4, 5}, {6, 7}, {8, 9, 10, 11, 12, 13, 14, 15}};
  const Output wanted = model.run(batch);
  for (const int mode : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
    ASSERT_EQ(std::fesetround(mode), 0);
    const Output out = model.run(batch);
    const int after = std::fegetround();
    std::fesetround(FE_TONEAREST);
    EXPECT_EQ(after, mode);
    EXPECT_EQ(std::memcmp(out.logits.data.data(), wanted.logits.data.data(), 4 * wanted.logits.data.size()), 0);
  }
}

#if defined(__x86_64__) || defined(__aarch64__)
TEST(FpState, FlushToZeroIsOffInsideAndBackOutside) {
  volatile float tiny = 1e-38f;
#if defined(__x86_64__)
  const unsigned before = _mm_getcsr();
  _mm_setcsr(before | 0x8040);  // FTZ and DAZ
#else
  uint64_t before = 0;
  __asm__ volatile("mrs %0, fpcr" : "=r"(before));
  __asm__ volatile("msr fpcr, %0" : : "r"(before | (uint64_t{1} << 24)));
#endif
  const bool flushed = tiny / 4 == 0;
  bool kept = false;
  {
    const parallel::FpState state;
    volatile float small = tiny / 4;
    kept = small > 0;
  }
  const bool flushed_again = tiny / 4 == 0;
#if defined(__x86_64__)
  _mm_setcsr(before);
#else
  __asm__ volatile("msr fpcr, %0" : : "r"(before));
#endif
  EXPECT_TRUE(flushed);
  EXPECT_TRUE(kept);
  EXPECT_TRUE(flushed_again);
}
#endif

}  // namespace
}  // namespace potstill
