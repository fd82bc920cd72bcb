// Whether the tests run under an emulator: toolchains/sessions/cpp.py says so by the board's CPU.
#pragma once

#include <cstdlib>

namespace potstill::testing {

inline bool emulated() { return std::getenv("POTSTILL_BOARD_CPU") != nullptr; }

}  // namespace potstill::testing
