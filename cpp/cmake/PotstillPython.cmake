# The Python module potstill._core and the generated schema module, into the wheel's folder potstill/.
if(CMAKE_CROSSCOMPILING)
  # Gives the target's headers and the module's suffix; no interpreter is run.
  include("${PROJECT_SOURCE_DIR}/toolchains/target_python.cmake")
  find_package(Python REQUIRED COMPONENTS Development.Module)
else()
  find_package(Python COMPONENTS Interpreter Development.Module)
  if(NOT Python_Development.Module_FOUND)
    message(FATAL_ERROR "Python's headers were not found: install the Debian package python3-dev")
  endif()
endif()
set(PYBIND11_FINDPYTHON NEW)
find_package(pybind11 CONFIG)
if(NOT pybind11_FOUND)
  message(FATAL_ERROR "pybind11 was not found: install the Debian package pybind11-dev or `pip install pybind11` and "
                      "set pybind11_DIR to what `python -m pybind11 --cmakedir` prints")
endif()

pybind11_add_module(_core MODULE bindings/module.cpp)
target_link_libraries(_core PRIVATE potstill_core potstill_kernels)
target_link_options(_core PRIVATE "${POTSTILL_STAY_LOADED}")
target_compile_definitions(_core PRIVATE POTSTILL_VERSION="${PROJECT_VERSION}")
add_dependencies(_core potstill_schema_python)
install(TARGETS _core LIBRARY DESTINATION potstill)
install(FILES "${POTSTILL_SCHEMA_PYTHON}" DESTINATION potstill/compile)
# One file for the tree and the wheel; see python/potstill/boards/load.py.
install(FILES "${PROJECT_SOURCE_DIR}/toolchains/boards.toml" DESTINATION potstill/boards)
