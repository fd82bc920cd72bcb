// Waiting a little before sleeping.
#pragma once

#include <chrono>

#include "parallel/futex.h"

namespace potstill::parallel {

// Going to sleep and being woken costs 5-50 us on a desktop core and about 70-100 us on a Cortex-A72, so a wait that
// is expected to be shorter is spent spinning. Longer ones mean that the other thread lost its core; spinning on would
// keep ours from whoever needs it, perhaps from that very thread.
inline constexpr std::chrono::microseconds kSpin{50};

// True as soon as `ready()`, false after kSpin.
template <typename Ready>
bool spin_until(const Ready& ready) {
  for (int i = 0; i < 32; ++i) {  // most waits are over before a clock is read
    if (ready()) return true;
    pause();
  }
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 16; ++i) {
      if (ready()) return true;
      pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  return ready();
}

}  // namespace potstill::parallel
