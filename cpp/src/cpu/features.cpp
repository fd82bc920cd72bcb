#include "cpu/features.h"

namespace potstill::cpu {
namespace {

bool has_bit(uint64_t word, unsigned bit) { return ((word >> bit) & 1) != 0; }

void add(Features& features, bool present, const char* word) {
  if (present) features.words += (features.words.empty() ? "" : " ") + std::string(word);
}

}  // namespace

Features from_aarch64(uint64_t hwcap, [[maybe_unused]] uint64_t hwcap2) {
  Features f;
#define POTSTILL_AARCH64_FEATURE(word, entry, bit) add(f, has_bit(entry, bit), #word);
#include "cpu/features.def"
  return f;
}

Features from_armv7l(uint64_t hwcap) {
  Features f;
#define POTSTILL_ARMV7L_FEATURE(word, entry, bit) add(f, has_bit(entry, bit), #word);
#include "cpu/features.def"
  return f;
}

Features from_x86_64(const CpuidValues& v) {
  constexpr uint64_t kYmm = 0x6;   // XMM and YMM
  constexpr uint64_t kZmm = 0xe6;  // and opmask, upper halves of ZMM 0-15, ZMM 16-31
  const bool osxsave = has_bit(v.leaf1_ecx, 27), avx = has_bit(v.leaf1_ecx, 28);
  const auto saves = [&](uint64_t registers) { return osxsave && avx && (v.xcr0 & registers) == registers; };
  Features f;
#define POTSTILL_X86_64_FEATURE(word, register, bit, saved) add(f, saves(saved) && has_bit(v.register, bit), #word);
#include "cpu/features.def"
  return f;
}

std::string to_string(const Features& features) { return features.words.empty() ? "none" : features.words; }

}  // namespace potstill::cpu
