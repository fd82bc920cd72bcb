// Replaces the program's operator new; in a file of its own, because a compiler that sees only one half of a pair
// inlined takes the other for a mismatch.
#include "support/allocations.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> count{0};
std::atomic<uint64_t> bytes{0};

}  // namespace

namespace potstill::testing {

std::size_t allocations() noexcept { return count.load(); }
uint64_t allocated_bytes() noexcept { return bytes.load(); }

}  // namespace potstill::testing

// The nothrow and array forms call these.
void* operator new(std::size_t size) {
  ++count;
  bytes += size;
  if (void* memory = std::malloc(size > 0 ? size : 1)) return memory;
  throw std::bad_alloc();
}

void* operator new(std::size_t size, std::align_val_t alignment) {
  ++count;
  bytes += size;
  const auto unit = static_cast<std::size_t>(alignment);
  if (void* memory = std::aligned_alloc(unit, (size / unit + 1) * unit)) return memory;
  throw std::bad_alloc();
}

void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
