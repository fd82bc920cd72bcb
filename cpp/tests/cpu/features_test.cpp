// Features from register values of machines that are not here.
#include "cpu/features.h"

#include <gtest/gtest.h>

namespace potstill::cpu {
namespace {

// AT_HWCAP as Linux reports it: FP ASIMD EVTSTRM (AES PMULL SHA1 SHA2) CRC32 (ATOMICS FPHP ASIMDHP CPUID ASIMDRDM LRCPC
// ASIMDDP).
constexpr uint64_t kPi3And4 = 0x83;  // Cortex-A53 and A72 of Broadcom's chips: FP ASIMD EVTSTRM, no CRC bit shown
constexpr uint64_t kPi4WithCrcCpuid = 0x883;  // newer kernels: + CRC32 (bit 7), CPUID (bit 11)
constexpr uint64_t kPi5 = 0x119fff;  // Cortex-A76: all of them, ASIMDRDM (12), LRCPC (15), DCPOP (16), ASIMDDP (20)

TEST(Aarch64, Pi3AndPi4HaveNeonOnly) {
  for (uint64_t hwcap : {kPi3And4, kPi4WithCrcCpuid}) {
    EXPECT_TRUE(from_aarch64(hwcap).neon);
    EXPECT_FALSE(from_aarch64(hwcap).dotprod);
  }
}

TEST(Aarch64, Pi5HasDotprod) {
  const Features f = from_aarch64(kPi5);
  EXPECT_TRUE(f.neon && f.dotprod);
  EXPECT_FALSE(f.avx2 || f.avx512vnni);
  EXPECT_EQ(to_string(f), "neon dotprod");
}

TEST(Aarch64, WithoutAsimdNothing) { EXPECT_EQ(to_string(from_aarch64(uint64_t{1} << 20)), "none"); }

TEST(Armv7, NeonNeedsFusedMultiplyAdd) {
  // half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm: 32-bit Pi OS on Pi 3 and 4.
  EXPECT_TRUE(from_armv7(0x3fb0d6).neon);
  EXPECT_FALSE(from_armv7(0x3fb0d6 & ~uint64_t{0x10000}).neon);  // Cortex-A8, A9: VFPv3
  EXPECT_FALSE(from_armv7(0x80d6).neon);                         // Pi 1, Zero: no NEON
}

CpuidValues ice_lake() {
  return {.leaf1_ecx = 0x7ffefbff, .leaf7_ebx = 0xf2bf67eb, .leaf7_ecx = 0x40417f5e, .xcr0 = 0x2e7};
}

TEST(X86, IceLakeHasVnni) {
  const Features f = from_x86(ice_lake());
  EXPECT_TRUE(f.avx2 && f.avx512vnni);
  EXPECT_FALSE(f.neon || f.dotprod);
}

TEST(X86, HaswellHasAvx2Only) {
  const Features f = from_x86({.leaf1_ecx = 0x7ffafbff, .leaf7_ebx = 0x27ab, .leaf7_ecx = 0, .xcr0 = 0x7});
  EXPECT_TRUE(f.avx2);
  EXPECT_FALSE(f.avx512vnni);
}

TEST(X86, SkylakeServerHasAvx512WithoutVnni) {
  CpuidValues v = ice_lake();
  v.leaf7_ebx = 0xd39ffffb;
  v.leaf7_ecx = 0x8;
  EXPECT_TRUE(from_x86(v).avx2);
  EXPECT_FALSE(from_x86(v).avx512vnni);
}

// A kernel that does not save the wide registers makes their instructions fault.
TEST(X86, OperatingSystemStateCounts) {
  CpuidValues v = ice_lake();
  v.xcr0 = 0x7;
  EXPECT_TRUE(from_x86(v).avx2);
  EXPECT_FALSE(from_x86(v).avx512vnni);
  v.xcr0 = 0x3;
  EXPECT_FALSE(from_x86(v).avx2 || from_x86(v).avx512vnni);
  v = ice_lake();
  v.leaf1_ecx &= ~(1u << 27);  // no OSXSAVE: XCR0 may not be read
  EXPECT_FALSE(from_x86(v).avx2);
  v = ice_lake();
  v.leaf1_ecx &= ~(1u << 12);  // no FMA
  EXPECT_FALSE(from_x86(v).avx2 || from_x86(v).avx512vnni);
}

TEST(Detect, AgreesWithTheCompiledArchitecture) {
  const Features f = detect();
#if defined(__aarch64__)
  EXPECT_TRUE(f.neon);
#elif defined(__x86_64__)
  EXPECT_FALSE(f.neon || f.dotprod);
  EXPECT_EQ(f.avx2, __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
  EXPECT_EQ(f.avx512vnni, __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vl") && f.avx2);
#else
  EXPECT_FALSE(f.avx2 || f.avx512vnni || f.dotprod);
#endif
}

}  // namespace
}  // namespace potstill::cpu
