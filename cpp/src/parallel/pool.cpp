// The process's pool.
#include "parallel/pool.h"

#include <pthread.h>

#include <atomic>
#include <mutex>

namespace potstill::parallel {
namespace {

std::atomic<Pool*> current{nullptr};

// In the child the helpers don't exist; the old pool is left behind, as its mutex may be held by a thread that is gone.
void after_fork_in_child() { current.store(nullptr, std::memory_order_relaxed); }

std::unique_ptr<Pool> make() {
#if defined(POTSTILL_POOL_OPENMP)
  return make_openmp_pool();
#else
  return make_thread_pool();
#endif
}

}  // namespace

Pool& pool() {
  if (Pool* known = current.load(std::memory_order_acquire); known != nullptr) return *known;
  static std::once_flag once;
  std::call_once(once, [] { pthread_atfork(nullptr, nullptr, after_fork_in_child); });
  Pool* made = make().release();  // never deleted: sleeping helpers use it until the process ends
  Pool* expected = nullptr;
  if (current.compare_exchange_strong(expected, made, std::memory_order_acq_rel)) return *made;
  delete made;  // another thread was first; this one has no helpers yet
  return *expected;
}

}  // namespace potstill::parallel
