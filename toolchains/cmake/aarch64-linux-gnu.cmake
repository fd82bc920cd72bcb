# 64-bit Raspberry Pi OS: Pi 3, Pi 4, Pi 5, Zero 2 W. The baseline is plain ARMv8.0-A, which all of them run; kernels
# that need more (dot product: Pi 5) get their own flags in cpp/src/kernels/sets.def and are chosen at run time.
set(POTSTILL_TRIPLE aarch64-linux-gnu)
set(POTSTILL_CPU_FLAGS "-march=armv8-a -mtune=cortex-a72")
set(POTSTILL_APT_PACKAGES "g++-aarch64-linux-gnu")
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(POTSTILL_QEMU qemu-aarch64)
set(POTSTILL_QEMU_CPU cortex-a72)
include(${CMAKE_CURRENT_LIST_DIR}/common.cmake)
