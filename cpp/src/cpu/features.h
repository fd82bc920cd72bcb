// What the CPU can do.  The functions from recorded register values to features are pure, so that tests can feed the
// values of machines that are not there; detect() reads those of this one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace potstill::cpu {

// Whether each word of `some` is a word of `all`; both have blanks between words.
constexpr bool has_words(std::string_view all, std::string_view some) {
  const auto next = [](std::string_view& text) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(word.size() < text.size() ? word.size() + 1 : text.size());
    return word;
  };
  while (!some.empty()) {
    const std::string_view wanted = next(some);
    bool found = wanted.empty();
    for (std::string_view rest = all; !found && !rest.empty();) found = next(rest) == wanted;
    if (!found) return false;
  }
  return true;
}

// Those features of features.def that a CPU has and its operating system supports.
struct Features {
  std::string words;  // of /proc/cpuinfo, a blank between two: "asimd asimddp"

  bool has(std::string_view needed) const { return has_words(words, needed); }
};

// Linux getauxval(AT_HWCAP) and getauxval(AT_HWCAP2).
Features from_aarch64(uint64_t hwcap, uint64_t hwcap2 = 0);
Features from_armv7l(uint64_t hwcap);

// Values of cpuid leaf 1, leaf 7 and its subleaf 1 (0 where the CPU lacks one) and of XCR0 (0 without OSXSAVE).
struct CpuidValues {
  uint32_t leaf1_ecx = 0;
  uint32_t leaf7_ebx = 0;
  uint32_t leaf7_ecx = 0;
  uint32_t leaf7_1_eax = 0;
  uint64_t xcr0 = 0;
};
Features from_x86_64(const CpuidValues& values);

// This machine's features.
Features detect();

// "asimd asimddp"; "none" when there is nothing to name.  For diagnostics.
std::string to_string(const Features& features);

}  // namespace potstill::cpu
