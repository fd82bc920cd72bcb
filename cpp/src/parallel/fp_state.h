// The floating point environment our numbers are defined in: round to nearest even, no flush to zero, no traps.
#pragma once

#include <cstdint>

#if defined(__x86_64__) || defined(__i386__)
#include <xmmintrin.h>
#endif

namespace potstill::parallel {

// Sets that environment for the calling thread while it lives, then restores what was there: a host program may have
// switched on flush-to-zero (as -ffast-math objects do at start) or another rounding mode.
class FpState {
 public:
  FpState() noexcept : saved_(get()) {
    if (saved_ != kDefault) set(kDefault);
  }
  ~FpState() { set(saved_); }
  FpState(const FpState&) = delete;
  FpState& operator=(const FpState&) = delete;

 private:
#if defined(__x86_64__) || defined(__i386__)
  using Word = uint32_t;
  static constexpr Word kDefault = 0x1f80;  // all exceptions masked, nearest, FTZ and DAZ off
  static Word get() noexcept { return _mm_getcsr(); }
  static void set(Word word) noexcept { _mm_setcsr(word); }
#elif defined(__aarch64__)
  using Word = uint64_t;
  static constexpr Word kDefault = 0;
  static Word get() noexcept {
    Word word = 0;
    __asm__ volatile("mrs %0, fpcr" : "=r"(word));
    return word;
  }
  static void set(Word word) noexcept { __asm__ volatile("msr fpcr, %0" : : "r"(word) : "memory"); }
#elif defined(__arm__)
  using Word = uint32_t;
  static constexpr Word kDefault = 0;
  static Word get() noexcept {
    Word word = 0;
    __asm__ volatile("vmrs %0, fpscr" : "=r"(word));
    return word;
  }
  static void set(Word word) noexcept { __asm__ volatile("vmsr fpscr, %0" : : "r"(word) : "memory"); }
#else
#error "no floating point state for this processor: add its control register here"
#endif
  Word saved_;
};

}  // namespace potstill::parallel
