// What loading a file may cost, by its size. In a FlatBuffer many references may name one text or table, so that a
// small header can describe far more than it holds: whatever is copied from it and every loop over it is counted here,
// and a file that asks for more than its bytes can account for is refused.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "format/fail.h"

namespace potstill::format {

class Budget {
 public:
  explicit Budget(uint64_t file = 0) : most_bytes_(std::max(file, kLeastBytes)), most_steps_(16 * file + kSpareSteps) {}

  // Memory that the loaded model keeps beside the file and the arena. Throws Error F066.
  void keep(uint64_t bytes, const std::string& where) { take(kept_, most_bytes_, bytes, "memory", where); }

  // Elements looked at, or bytes of weights. Throws Error F066.
  void step(uint64_t count, const std::string& where) { take(steps_, most_steps_, count, "time", where); }

  uint64_t kept() const noexcept { return kept_; }
  uint64_t steps() const noexcept { return steps_; }

 private:
  // An encoder of 12 layers, the narrowest that there are, needs 50 KB beside a file of 60.
  static constexpr uint64_t kLeastBytes = 64 << 10, kSpareSteps = 1 << 20;

  static void take(uint64_t& used, uint64_t most, uint64_t more, const char* what, const std::string& where) {
    if (more > most - used) {
      fail("F066",
           std::string("it asks for more ") + what + " than its size accounts for: parts of its header are shared",
           where);
    }
    used += more;
  }

  uint64_t most_bytes_, most_steps_;
  uint64_t kept_ = 0, steps_ = 0;  // never over their limits
};

}  // namespace potstill::format
