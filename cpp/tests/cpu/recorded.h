// Machines as they describe themselves: the words of /proc/cpuinfo beside the registers that detection reads. The
// test checks that words and bits of a record agree.
#pragma once

#include <cstdint>

#include "cpu/features.h"
#include "kernels/select.h"

namespace potstill::cpu {

struct RecordedArm {
  const char* name;
  kernels::Machine machine;  // of the process, which may be a 32-bit one under a 64-bit kernel
  const char* features;      // line "Features" of /proc/cpuinfo, as a process of that kind reads it
  uint64_t hwcap;            // AT_HWCAP and AT_HWCAP2 of LD_SHOW_AUXV=1
  uint64_t hwcap2;
  const char* kernels;  // the set to be chosen
};

constexpr RecordedArm kArm[] = {
    {"Pi 3 and Zero 2 W, Cortex-A53, 64-bit", kernels::Machine::aarch64, "fp asimd evtstrm crc32 cpuid", 0x887, 0,
     "neon"},
    {"Pi 4, Cortex-A72, 64-bit", kernels::Machine::aarch64, "fp asimd evtstrm crc32 cpuid", 0x887, 0, "neon"},
    {"Pi 5, Cortex-A76, 64-bit", kernels::Machine::aarch64,
     "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp", 0x119fff, 0,
     "neon_dotprod"},

    // A 32-bit Pi OS under its default 64-bit kernel. Such processes see no vfpd32.
    {"Pi 3 and Pi 4, 32-bit userland, 64-bit kernel", kernels::Machine::armv7l,
     "half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt lpae evtstrm crc32", 0x37b0d6, 0x10, "neon32"},
    {"Pi 5, 32-bit userland, 64-bit kernel", kernels::Machine::armv7l,
     "half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt lpae evtstrm aes pmull sha1 sha2 crc32", 0x37b0d6,
     0x1f, "neon32"},
    // The same with the words that kernels from 6.2 on add: the bit asimddp does not make a 64-bit set run.
    {"Pi 5, 32-bit userland, newer 64-bit kernel", kernels::Machine::armv7l,
     "half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt lpae evtstrm fphp asimdhp asimddp aes pmull sha1 "
     "sha2 crc32",
     0x1f7b0d6, 0x1f, "neon32"},

    {"Pi 2, Cortex-A7, 32-bit kernel", kernels::Machine::armv7l,
     "half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm", 0x3fb0d6, 0, "neon32"},
    {"Pi 4, 32-bit kernel", kernels::Machine::armv7l,
     "half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm crc32", 0x3fb0d6, 0x10,
     "neon32"},
    {"BeagleBone, Cortex-A8: NEON without fused multiply-add", kernels::Machine::armv7l,
     "half thumb fastmult vfp edsp thumbee neon vfpv3 tls vfpd32", 0x8b8d6, 0, "reference"},
    {"Pi 1 and Zero, ARM1176", kernels::Machine::armv7l, "half thumb fastmult vfp edsp java tls", 0x81d6, 0,
     "reference"},
};

struct RecordedX86 {
  const char* name;
  const char* flags;  // those words of /proc/cpuinfo's "flags" that detection depends on
  CpuidValues values;
  const char* kernels;
};

constexpr RecordedX86 kX86[] = {
    {"AMD Ryzen 7000, Zen 4",
     "fma avx avx2 avx512f avx512dq avx512bw avx512vl avx512_vnni",
     {.leaf1_ecx = 0x7ed8320b, .leaf7_ebx = 0xf1bf97a9, .leaf7_ecx = 0x00405fce, .xcr0 = 0x2e7},
     "avx512vnni"},
    {"Intel Core i7-6700K, Skylake",
     "fma avx avx2",
     {.leaf1_ecx = 0x7ffafbbf, .leaf7_ebx = 0x029c6fbf, .leaf7_ecx = 0, .xcr0 = 0x1f},
     "avx2"},
};

}  // namespace potstill::cpu
