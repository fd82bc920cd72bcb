# 32-bit Raspberry Pi OS on a Pi 2 or later. VFPv4 is required: fused multiply-add is part of the numeric contract.
# ARMv6 boards (Zero, Zero W, Pi 1) cannot run this. -Wno-psabi: GCC only notes an ABI change of GCC 7 there.
set(POTSTILL_TRIPLE arm-linux-gnueabihf)
set(POTSTILL_CPU_FLAGS "-march=armv7-a+neon-vfpv4 -mfloat-abi=hard -Wno-psabi")
set(POTSTILL_APT_PACKAGES "g++-arm-linux-gnueabihf")
set(CMAKE_SYSTEM_PROCESSOR armv7l)
set(POTSTILL_QEMU qemu-arm)
set(POTSTILL_QEMU_CPU cortex-a7)
include(${CMAKE_CURRENT_LIST_DIR}/common.cmake)
