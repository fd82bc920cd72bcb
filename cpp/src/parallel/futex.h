// Sleeping in the kernel until a word changes.
//
// std::atomic::wait would do, but libstdc++'s version calls sched_yield() before it sleeps, and on a core that another
// program keeps busy each of those gives a whole time slice away (about 3 ms); a thread that sleeps here and is woken
// preempts the busy program instead.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

namespace potstill::parallel {

using Word = std::atomic<uint32_t>;
static_assert(sizeof(Word) == 4 && Word::is_always_lock_free);

// Returns at once when `word` is not `value`, else after a wake, sometimes without one: call it in a loop.
inline void futex_wait(Word& word, uint32_t value) noexcept {
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}

inline void futex_wake_all(Word& word) noexcept {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 0x7fffffff, nullptr, nullptr, 0);
}

// A hint inside a spin loop: about 40 ns on x86-64, one barrier on Arm.
inline void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb" ::: "memory");
#elif defined(__arm__)
  __asm__ volatile("yield" ::: "memory");
#endif
}

}  // namespace potstill::parallel
