// First step of sums in sdot.  Include neon/vec.h first.
#pragma once

#include "kernels/simd/unroll.h"

namespace potstill::kernels {
namespace {

// sdot has no form without an addend, and clearing 16 registers takes the vector pipes 8 cycles of a tile's 160: half
// of the zeros come through the load pipes instead, which then have as much to do.
class ZeroSums {
 public:
  ZeroSums() : zeros_(kZeros) { __asm__("" : "+r"(zeros_)); }
  template <bool kLoaded>
  POTSTILL_INLINE W run(int8x16_t a, int8x16_t w) const {
    return vdotq_s32(kLoaded ? zero() : vdupq_n_s32(0), a, w);
  }
  POTSTILL_INLINE W zero() const {
    W sums;
    __asm__ volatile("ldr %q0, %1" : "=w"(sums) : "m"(*reinterpret_cast<const int32_t(*)[4]>(zeros_)));
    return sums;
  }

 private:
  alignas(16) static constexpr int32_t kZeros[4] = {};
  const int32_t* zeros_;
};

}  // namespace
}  // namespace potstill::kernels
