// Declares the kernels of the set that a file is compiled for: CMake defines POTSTILL_KERNEL_SET as its name.
#pragma once

#include "kernels/kernels.h"

namespace potstill::kernels::POTSTILL_KERNEL_SET {

#define POTSTILL_KERNEL(kernel, Call) void kernel(const Call& call);
#include "kernels/kernels.def"

}  // namespace potstill::kernels::POTSTILL_KERNEL_SET
