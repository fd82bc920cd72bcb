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
    const bool wide = m.machine == kernels::Machine::aarch64;
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
    const bool wide = m.machine == kernels::Machine::aarch64;
    const Features f = wide ? from_aarch64(m.hwcap, m.hwcap2) : from_armv7l(m.hwcap);
    // Every word found is one of the record.
    EXPECT_TRUE(has_words(m.features, f.words)) << m.name << ": " << f.words;
    const auto names = kernels::names_for(m.machine, f);
    EXPECT_EQ(names.front(), m.kernels) << m.name;
    EXPECT_EQ(names.back(), "reference") << m.name;
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
    EXPECT_EQ(kernels::names_for(kernels::Machine::x86_64, from_x86_64(m.values)).front(), m.kernels) << m.name;
  }
}

// A set of one machine is never chosen by a build for another, whatever the features. That each set is in the list of a
// CPU with everything shows that features.def has the words it needs.
TEST(Recorded, SetsStayWithTheirMachine) {
  using kernels::Machine;
  const Features all{from_x86_64({~0u, ~0u, ~0u, ~0u, ~uint64_t{0}}).words + " " + from_aarch64(~0u, ~0u).words + " " +
                     from_armv7l(~0u).words};
  const auto expect = [&](Machine machine) {
    std::vector<std::string> names;
#define POTSTILL_KERNEL_SET(name, built_for, needs, holds, flags) \
  if (Machine::built_for == machine || Machine::built_for == Machine::any) names.emplace_back(#name);
#include "kernels/sets.def"
    EXPECT_EQ(kernels::names_for(machine, all), names);
  };
  expect(Machine::x86_64);
  expect(Machine::aarch64);
  expect(Machine::armv7l);
  expect(Machine::any);
  EXPECT_EQ(kernels::names_for(Machine::any, all), std::vector<std::string>{"reference"});
}

TEST(Words, EachOfThemWholly) {
  static_assert(has_words("asimd asimddp", "asimddp asimd") && has_words("asimd", "") && has_words("", ""));
  static_assert(!has_words("asimddp", "asimd") && !has_words("asimd", "asimd asimddp") && !has_words("", "asimd"));
}

TEST(Aarch64, WithoutAsimdNoSet) {
  EXPECT_EQ(kernels::names_for(kernels::Machine::aarch64, from_aarch64(uint64_t{1} << 20)),
            std::vector<std::string>{"reference"});
}

TEST(Aarch64, Names) {
  EXPECT_EQ(to_string(from_aarch64(0x119fff)), "asimd fphp asimdhp asimddp");
  EXPECT_EQ(to_string(from_aarch64(0, 1 << 13)), "i8mm");
  EXPECT_EQ(to_string(from_aarch64(0)), "none");
}

CpuidValues ice_lake() {
  return {.leaf1_ecx = 0x7ffefbff, .leaf7_ebx = 0xf2bf67eb, .leaf7_ecx = 0x40417f5e, .xcr0 = 0x2e7};
}

// The best set for such a CPU.
std::string best(const CpuidValues& values) {
  return kernels::names_for(kernels::Machine::x86_64, from_x86_64(values)).front();
}

TEST(X86, IceLakeHasVnni) {
  const Features f = from_x86_64(ice_lake());
  EXPECT_TRUE(f.has("avx2 avx512_vnni"));
  EXPECT_FALSE(f.has("asimd") || f.has("asimddp"));
  EXPECT_EQ(best(ice_lake()), "avx512vnni");
}

TEST(X86, HaswellHasAvx2Only) {
  EXPECT_EQ(best({.leaf1_ecx = 0x7ffafbff, .leaf7_ebx = 0x27ab, .leaf7_ecx = 0, .xcr0 = 0x7}), "avx2");
}

TEST(X86, SkylakeServerHasAvx512WithoutVnni) {
  CpuidValues v = ice_lake();
  v.leaf7_ebx = 0xd39ffffb;
  v.leaf7_ecx = 0x8;
  EXPECT_EQ(best(v), "avx2");
}

// A kernel that does not save the wide registers makes their instructions fault.
TEST(X86, OperatingSystemStateCounts) {
  CpuidValues v = ice_lake();
  v.xcr0 = 0x7;
  EXPECT_EQ(best(v), "avx2");
  v.xcr0 = 0x3;
  EXPECT_EQ(best(v), "reference");
  v = ice_lake();
  v.leaf1_ecx &= ~(1u << 27);  // no OSXSAVE: XCR0 may not be read
  EXPECT_EQ(best(v), "reference");
  v = ice_lake();
  v.leaf1_ecx &= ~(1u << 28);  // no AVX
  EXPECT_EQ(best(v), "reference");
  v = ice_lake();
  v.leaf1_ecx &= ~(1u << 12);  // no FMA
  EXPECT_EQ(best(v), "reference");
}

TEST(Detect, AgreesWithTheCompiledArchitecture) {
  const Features f = detect();
#if defined(__aarch64__)
  EXPECT_TRUE(f.has("asimd"));
#elif defined(__x86_64__)
  EXPECT_EQ(f.has("avx2 fma"), __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
  EXPECT_EQ(f.has("avx2 avx512_vnni avx512vl"),
            __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vl") && f.has("avx2"));
#elif defined(__arm__)
  EXPECT_FALSE(f.has("avx2") || f.has("asimd"));
#endif
}

}  // namespace
}  // namespace potstill::cpu
