// Features, and the kernel set that is chosen, from register values of machines that are not here.
#include "cpu/features.h"

#include <gtest/gtest.h>

#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "cpu/recorded.h"

namespace potstill::cpu {
namespace {

// Bit numbers of <asm/hwcap.h>, by the words of /proc/cpuinfo; for 32-bit processes the last ones are in AT_HWCAP2.
constexpr std::string_view kAarch64Words[] = {"fp",    "asimd",   "evtstrm", "aes",     "pmull", "sha1",     "sha2",
                                              "crc32", "atomics", "fphp",    "asimdhp", "cpuid", "asimdrdm", "jscvt",
                                              "fcma",  "lrcpc",   "dcpop",   "sha3",    "sm3",   "sm4",      "asimddp"};
constexpr std::string_view kArmv7Words[] = {"swp",      "half", "thumb",   "26bit",  "fastmult", "fpa",    "vfp",
                                            "edsp",     "java", "iwmmxt",  "crunch", "thumbee",  "neon",   "vfpv3",
                                            "vfpv3d16", "tls",  "vfpv4",   "idiva",  "idivt",    "vfpd32", "lpae",
                                            "evtstrm",  "fphp", "asimdhp", "asimddp"};
constexpr std::string_view kArmv7MoreWords[] = {"aes", "pmull", "sha1", "sha2", "crc32"};

uint64_t bit(std::span<const std::string_view> words, const std::string& word) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == word) return uint64_t{1} << i;
  }
  return 0;
}

TEST(Recorded, ArmWordsAndBitsAgree) {
  for (const RecordedArm& m : kArm) {
    const bool wide = m.machine == kernels::Machine::Aarch64;
    uint64_t hwcap = 0, hwcap2 = 0;
    std::istringstream words(m.features);
    for (std::string word; words >> word;) {
      const uint64_t first = wide ? bit(kAarch64Words, word) : bit(kArmv7Words, word);
      const uint64_t second = wide ? 0 : bit(kArmv7MoreWords, word);
      EXPECT_NE(first | second, 0u) << word;
      hwcap |= first;
      hwcap2 |= second;
    }
    EXPECT_EQ(hwcap, m.hwcap) << m.name;
    EXPECT_EQ(hwcap2, m.hwcap2) << m.name;
  }
}

TEST(Recorded, ArmKernelSet) {
  for (const RecordedArm& m : kArm) {
    const Features f = m.machine == kernels::Machine::Aarch64 ? from_aarch64(m.hwcap) : from_armv7(m.hwcap);
    const auto names = kernels::names_for(m.machine, f);
    EXPECT_EQ(names.front(), m.kernels) << m.name;
    EXPECT_EQ(names.back(), "reference") << m.name;
    EXPECT_FALSE(f.avx2 || f.avx512vnni) << m.name;
  }
}

TEST(Recorded, X86WordsAndBitsAgree) {
  for (const RecordedX86& m : kX86) {
    const CpuidValues& v = m.values;
    std::string flags;
    const auto add = [&flags](uint32_t leaf, unsigned number, const char* word) {
      if ((leaf >> number & 1) != 0) flags += (flags.empty() ? "" : " ") + std::string(word);
    };
    add(v.leaf1_ecx, 12, "fma");
    add(v.leaf1_ecx, 28, "avx");
    add(v.leaf7_ebx, 5, "avx2");
    add(v.leaf7_ebx, 16, "avx512f");
    add(v.leaf7_ebx, 17, "avx512dq");
    add(v.leaf7_ebx, 30, "avx512bw");
    add(v.leaf7_ebx, 31, "avx512vl");
    add(v.leaf7_ecx, 11, "avx512_vnni");
    EXPECT_EQ(flags, m.flags) << m.name;
  }
}

TEST(Recorded, X86KernelSet) {
  for (const RecordedX86& m : kX86) {
    EXPECT_EQ(kernels::names_for(kernels::Machine::X86, from_x86(m.values)).front(), m.kernels) << m.name;
  }
}

// A set of one machine is never chosen by a build for another, whatever the features.
TEST(Recorded, SetsStayWithTheirMachine) {
  const Features all{.neon = true, .dotprod = true, .avx2 = true, .avx512vnni = true};
  using Names = std::vector<std::string>;
  EXPECT_EQ(kernels::names_for(kernels::Machine::X86, all), (Names{"avx512vnni", "avx2", "reference"}));
  EXPECT_EQ(kernels::names_for(kernels::Machine::Aarch64, all), (Names{"neon_dotprod", "neon", "reference"}));
  EXPECT_EQ(kernels::names_for(kernels::Machine::Armv7, all), (Names{"neon", "reference"}));
  EXPECT_EQ(kernels::names_for(kernels::Machine::Other, all), (Names{"reference"}));
}

TEST(Aarch64, WithoutAsimdNothing) { EXPECT_EQ(to_string(from_aarch64(uint64_t{1} << 20)), "none"); }

TEST(Aarch64, Names) { EXPECT_EQ(to_string(from_aarch64(0x119fff)), "neon dotprod"); }

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
