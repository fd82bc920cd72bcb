#include "tools/profile_table.h"

#include <gtest/gtest.h>

namespace potstill::tools {
namespace {

TEST(ProfileTable, GivesSharesOfTheForwardAndOfThePeak) {
  Profile profile;
  profile.peak_int8 = 100e9;
  profile.peak_f32 = 10e9;
  // 30 M multiply-adds in 2 threads' 0.6 ms together are 50 GMAC/s a core.
  profile.ops.push_back({"a/b", "Linear", 30'000'000, 123'400, true, 300'000, 600'000});
  profile.ops.push_back({"c", "Attention", 500'000, 0, false, 100'000, 100'000});
  profile.ops.push_back({"d", "LayerNorm", 0, 2'000, false, 600'000, 0});
  EXPECT_EQ(profile_table(profile),
            "op\tkind\tms\tshare\tMMAC\tKB\tof peak\n"
            "a/b\tLinear\t0.3000\t30.0%\t30.00\t123\t50%\n"
            "c\tAttention\t0.1000\t10.0%\t0.50\t0\t50%\n"
            "d\tLayerNorm\t0.6000\t60.0%\t0.00\t2\t-\n");
  EXPECT_EQ(profile_table({}), "op\tkind\tms\tshare\tMMAC\tKB\tof peak\n");
}

}  // namespace
}  // namespace potstill::tools
