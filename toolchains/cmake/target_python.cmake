# Describes the target's Python to FindPython and pybind11 in a cross build; include it before find_package(Python ...)
# and ask only for Development.Module there (an interpreter of the target cannot run here).
#
# Inputs: POTSTILL_ROOT (environment), POTSTILL_PYTHON (environment, "3.11"). The wheel's own tag is set by the caller
# with scikit-build-core's wheel.tags; both come from toolchains/wheels/build.py. Without this file scikit-build-core gives
# the host's headers and file name suffix, which makes a wheel that installs nowhere.
if(NOT DEFINED ENV{POTSTILL_ROOT})
  message(FATAL_ERROR "error[B014]: a cross build of the Python module needs the target's headers; POTSTILL_ROOT; "
                      "run nox -s wheels, or set POTSTILL_ROOT to a root made by toolchains/roots/sysroot.py")
endif()
if(NOT DEFINED ENV{POTSTILL_PYTHON})
  message(FATAL_ERROR "error[B014]: the target's Python version is not known; POTSTILL_PYTHON; "
                      "run nox -s wheels, or set POTSTILL_PYTHON, for example to 3.11")
endif()
if(NOT "$ENV{POTSTILL_PYTHON}" MATCHES "^3\\.([0-9]+)$")
  message(FATAL_ERROR "error[B014]: not a Python version: '$ENV{POTSTILL_PYTHON}'; POTSTILL_PYTHON; use the form 3.11")
endif()
set(POTSTILL_TARGET_SOABI "cpython-3${CMAKE_MATCH_1}-${POTSTILL_TRIPLE}")
set(_potstill_headers "$ENV{POTSTILL_ROOT}/usr/include/python$ENV{POTSTILL_PYTHON}")
if(NOT EXISTS "${_potstill_headers}/Python.h")
  message(FATAL_ERROR "error[B014]: no Python $ENV{POTSTILL_PYTHON} headers; $ENV{POTSTILL_ROOT}; "
                      "add libpython$ENV{POTSTILL_PYTHON}-dev to the root's packages in toolchains/boards.toml")
endif()
set(Python_INCLUDE_DIR "${_potstill_headers}" CACHE PATH "headers of the target's Python" FORCE)
set(PYTHON_MODULE_EXT_SUFFIX ".${POTSTILL_TARGET_SOABI}.so" CACHE STRING "file name suffix of the target's modules" FORCE)
set(PYBIND11_USE_CROSSCOMPILING ON)
set(PYBIND11_FINDPYTHON NEW)
# Debian's pyconfig.h includes <TRIPLE/pythonX.Y/pyconfig.h>; searched last, so that libc headers stay the compiler's.
add_compile_options("SHELL:-idirafter $ENV{POTSTILL_ROOT}/usr/include")
