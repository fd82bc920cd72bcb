# Shared part of the toolchain files. A toolchain file sets POTSTILL_TRIPLE, POTSTILL_CPU_FLAGS, POTSTILL_QEMU,
# POTSTILL_QEMU_CPU (default of the emulator) and CMAKE_SYSTEM_PROCESSOR, then includes this file.
#
# POTSTILL_ROOT (environment): an unpacked target root made by toolchains/roots/sysroot.py. libc, libstdc++ and libgomp come
# from the cross compiler's own packages, so there is no --sysroot; the root gives the Python headers and
# the shared libraries the emulator loads.
# POTSTILL_BOARD_CPU (environment): CPU that the emulator pretends to be, e.g. cortex-a76.

set(CMAKE_SYSTEM_NAME Linux)

find_program(POTSTILL_CROSS_CXX ${POTSTILL_TRIPLE}-g++)
if(NOT POTSTILL_CROSS_CXX)
  message(FATAL_ERROR "error[B001]: no cross compiler ${POTSTILL_TRIPLE}-g++; PATH; "
                      "sudo apt-get install -y --no-install-recommends ${POTSTILL_APT_PACKAGES}")
endif()
set(CMAKE_C_COMPILER ${POTSTILL_TRIPLE}-gcc)
set(CMAKE_CXX_COMPILER ${POTSTILL_TRIPLE}-g++)
set(CMAKE_C_FLAGS_INIT "${POTSTILL_CPU_FLAGS}")
set(CMAKE_CXX_FLAGS_INIT "${POTSTILL_CPU_FLAGS}")

# Programs (flatc, Python) run on the build host.
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)

if(DEFINED ENV{POTSTILL_ROOT})
  set(_potstill_emulated_root "$ENV{POTSTILL_ROOT}")
else()
  # Enough for plain C++ tests: the cross compiler's own libraries.
  set(_potstill_emulated_root "/usr/${POTSTILL_TRIPLE}")
  if(NOT IS_DIRECTORY "${_potstill_emulated_root}")
    set(_potstill_emulated_root "/")  # the target is this machine's own type
  endif()
endif()

if(DEFINED ENV{POTSTILL_BOARD_CPU})
  set(POTSTILL_QEMU_CPU "$ENV{POTSTILL_BOARD_CPU}")
endif()
find_program(POTSTILL_QEMU_PROGRAM ${POTSTILL_QEMU})
if(POTSTILL_QEMU_PROGRAM)
  set(CMAKE_CROSSCOMPILING_EMULATOR
      "${POTSTILL_QEMU_PROGRAM};-cpu;${POTSTILL_QEMU_CPU};-L;${_potstill_emulated_root}")
endif()
