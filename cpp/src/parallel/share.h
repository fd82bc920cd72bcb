// How many helpers one of several concurrent forwards may have.
#pragma once

#include <algorithm>
#include <mutex>

namespace potstill::parallel {

// Several threads of a program may each run a forward. Together they use at most as many threads as the largest of
// them asked for: a caller that is alone gets all its helpers, callers that fill the machine by themselves get none and
// scale as separate programs would. Guarded by the pool's mutex.
class Share {
 public:
  // Helpers for a caller that wants `threads` in all; undo with leave(the same number).
  int enter(int threads) noexcept {
    most_ = std::max(most_, threads);
    ++callers_;
    const int helpers = std::clamp(most_ - callers_ - helpers_, 0, threads - 1);
    helpers_ += helpers;
    return helpers;
  }
  void leave(int helpers) noexcept {
    --callers_;
    helpers_ -= helpers;
  }

 private:
  int most_ = 1;
  int callers_ = 0;
  int helpers_ = 0;
};

}  // namespace potstill::parallel
