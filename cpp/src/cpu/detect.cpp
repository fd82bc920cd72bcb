// Reads the registers of this machine; everything that decides is in features.cpp.
#include "cpu/features.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#elif defined(__aarch64__) || defined(__arm__)
#include <sys/auxv.h>
#endif

namespace potstill::cpu {

#if defined(__x86_64__) || defined(__i386__)

Features detect() {
  CpuidValues v;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0) v.leaf1_ecx = ecx;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0) {
    v.leaf7_ebx = ebx;
    v.leaf7_ecx = ecx;
    const bool has_subleaf = eax > 0;  // the highest one
    if (has_subleaf && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0) v.leaf7_1_eax = eax;
  }
  if ((v.leaf1_ecx >> 27 & 1) != 0) {  // OSXSAVE: xgetbv may be executed
    uint32_t low = 0, high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    v.xcr0 = uint64_t{high} << 32 | low;
  }
  return from_x86_64(v);
}

#elif defined(__aarch64__)

Features detect() { return from_aarch64(getauxval(AT_HWCAP), getauxval(AT_HWCAP2)); }

#elif defined(__arm__)

Features detect() { return from_armv7l(getauxval(AT_HWCAP)); }

#else

Features detect() { return {}; }

#endif

}  // namespace potstill::cpu
