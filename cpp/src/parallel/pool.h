// Where the threads of a forward come from. The build chooses one pool: POTSTILL_POOL=threads|openmp, see README.md.
#pragma once

#include <memory>

namespace potstill::parallel {

// A reference to a callable that takes the number of a thread; it must outlive the call it is given to.
class Work {
 public:
  template <typename Body>
  explicit Work(const Body& body) noexcept
      : call_([](const void* self, int thread) { (*static_cast<const Body*>(self))(thread); }), self_(&body) {}
  void operator()(int thread) const { call_(self_, thread); }

 private:
  void (*call_)(const void*, int);
  const void* self_;
};

class Pool {
 public:
  Pool() = default;
  virtual ~Pool() = default;
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Calls work(0) on the calling thread and work(t), each t in [1, threads) at most once, on helpers that come in
  // time: maybe on none. `work` must be complete when work(0) alone has run; it must not throw. When run() returns, no
  // helper is inside `work`, and what all of them wrote is visible.
  virtual void run(int threads, const Work& work) = 0;

  virtual const char* name() const noexcept = 0;
};

// The pool of this process, made at the first call and again in a child of fork().
Pool& pool();

// Each of the build's candidates, for tests and measurements; null when it was not built.
std::unique_ptr<Pool> make_thread_pool();
std::unique_ptr<Pool> make_openmp_pool();

}  // namespace potstill::parallel
