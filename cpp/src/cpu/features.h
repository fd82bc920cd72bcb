// What the CPU can do.  The functions from recorded register values to features are pure, so that tests can feed the
// values of machines that are not there; detect() reads those of this one.
#pragma once

#include <cstdint>
#include <string>

namespace potstill::cpu {

struct Features {
  bool neon = false;        // aarch64 ASIMD; armv7: NEON with VFPv4 (fused multiply-add)
  bool dotprod = false;     // aarch64 ASIMDDP: sdot
  bool avx2 = false;        // AVX2 and FMA, registers saved by the OS
  bool avx512vnni = false;  // AVX512 F, BW, DQ, VL, VNNI, registers saved by the OS; implies avx2
};

// Linux getauxval(AT_HWCAP) bits, <asm/hwcap.h> of each architecture.
Features from_aarch64(uint64_t hwcap);
Features from_armv7(uint64_t hwcap);

// Values of cpuid leaves 1 and 7 (0 where the CPU lacks the leaf) and of XCR0 (0 without OSXSAVE).
struct CpuidValues {
  uint32_t leaf1_ecx = 0;
  uint32_t leaf7_ebx = 0;
  uint32_t leaf7_ecx = 0;
  uint64_t xcr0 = 0;
};
Features from_x86(const CpuidValues& values);

// This machine's features.
Features detect();

// "neon dotprod"; "none" when there is nothing to name.  For diagnostics.
std::string to_string(const Features& features);

}  // namespace potstill::cpu
