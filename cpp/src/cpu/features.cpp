#include "cpu/features.h"

namespace potstill::cpu {
namespace {

bool has(uint64_t word, unsigned bit) { return ((word >> bit) & 1) != 0; }

}  // namespace

Features from_aarch64(uint64_t hwcap) {
  Features f;
  f.neon = has(hwcap, 1);                // HWCAP_ASIMD
  f.dotprod = f.neon && has(hwcap, 20);  // HWCAP_ASIMDDP
  return f;
}

Features from_armv7(uint64_t hwcap) {
  Features f;
  f.neon = has(hwcap, 12) && has(hwcap, 16);  // HWCAP_NEON, HWCAP_VFPv4
  return f;
}

Features from_x86(const CpuidValues& v) {
  constexpr uint64_t kYmmState = 0x6;   // XMM and YMM
  constexpr uint64_t kZmmState = 0xe6;  // and opmask, upper halves of ZMM 0-15, ZMM 16-31
  Features f;
  const bool osxsave = has(v.leaf1_ecx, 27), avx = has(v.leaf1_ecx, 28), fma = has(v.leaf1_ecx, 12);
  f.avx2 = osxsave && avx && fma && has(v.leaf7_ebx, 5) && (v.xcr0 & kYmmState) == kYmmState;
  const bool foundation = has(v.leaf7_ebx, 16) && has(v.leaf7_ebx, 17) && has(v.leaf7_ebx, 30) && has(v.leaf7_ebx, 31);
  f.avx512vnni = f.avx2 && foundation && has(v.leaf7_ecx, 11) && (v.xcr0 & kZmmState) == kZmmState;
  return f;
}

std::string to_string(const Features& features) {
  std::string text;
  const auto name = [&text](bool present, const char* word) {
    if (!present) return;
    if (!text.empty()) text += ' ';
    text += word;
  };
  name(features.neon, "neon");
  name(features.dotprod, "dotprod");
  name(features.avx2, "avx2");
  name(features.avx512vnni, "avx512vnni");
  return text.empty() ? "none" : text;
}

}  // namespace potstill::cpu
