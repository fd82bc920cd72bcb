// How often C++ code of the test program asked for memory, and for how much in all.
#pragma once

#include <cstddef>
#include <cstdint>

namespace potstill::testing {

std::size_t allocations() noexcept;
uint64_t allocated_bytes() noexcept;

}  // namespace potstill::testing
