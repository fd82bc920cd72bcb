// How often C++ code of the test program asked for memory.
#pragma once

#include <cstddef>

namespace potstill::testing {

std::size_t allocations() noexcept;

}  // namespace potstill::testing
