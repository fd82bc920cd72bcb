#include "parallel/team.h"

#include <cstdlib>

#include "parallel/spin.h"

namespace potstill::parallel {

void Phases::reset() noexcept {
  for (std::size_t i = 0; i < count_; ++i) {
    phases_[i].next.store(0, std::memory_order_relaxed);
    phases_[i].done.store(0, std::memory_order_relaxed);
    phases_[i].sleepers.store(0, std::memory_order_relaxed);
  }
}

// An op with more phases than there is room for is a mistake in that op; no file can cause it.
Phase& Team::at(std::size_t index) noexcept {
  if (index >= end_ || index >= phases_->count()) std::abort();
  return (*phases_)[index];
}

void Team::wait(Phase& phase, uint32_t all) noexcept {
  if (spin_until([&] { return phase.done.load(std::memory_order_acquire) == all; })) return;
  // Sequentially consistent, as the last task's count and its look at `sleepers` are: one of the two sees the other.
  phase.sleepers.store(1);
  for (uint32_t seen; (seen = phase.done.load()) != all;) futex_wait(phase.done, seen);
}

}  // namespace potstill::parallel
