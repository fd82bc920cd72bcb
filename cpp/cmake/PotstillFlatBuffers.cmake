# Code for both languages from still.fbs. flatc always runs on the host; its C++ headers are staged into the build
# folder, so that a cross build never sees the host's /usr/include.
#
# Gives the targets potstill_schema (interface: include paths of the generated header and of FlatBuffers) and
# potstill_schema_python (POTSTILL_SCHEMA_PYTHON is its file).

find_program(POTSTILL_FLATC flatc NO_CMAKE_FIND_ROOT_PATH DOC "The FlatBuffers compiler of the host")
if(NOT POTSTILL_FLATC)
  message(FATAL_ERROR "flatc was not found: install the Debian package flatbuffers-compiler, "
                      "or set POTSTILL_FLATC to it")
endif()
find_path(POTSTILL_FLATBUFFERS_INCLUDE flatbuffers/flatbuffers.h NO_CMAKE_FIND_ROOT_PATH
          DOC "Folder that holds flatbuffers/flatbuffers.h")
if(NOT POTSTILL_FLATBUFFERS_INCLUDE)
  message(FATAL_ERROR "flatbuffers/flatbuffers.h was not found: install the Debian package libflatbuffers-dev, "
                      "or set POTSTILL_FLATBUFFERS_INCLUDE to the folder that holds it")
endif()

# The generated header checks that compiler and headers are of one version; say it in words before the compiler does.
execute_process(COMMAND "${POTSTILL_FLATC}" --version OUTPUT_VARIABLE _flatc_version OUTPUT_STRIP_TRAILING_WHITESPACE)
string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" _flatc_version "${_flatc_version}")
file(STRINGS "${POTSTILL_FLATBUFFERS_INCLUDE}/flatbuffers/base.h" _lines
     REGEX "#define FLATBUFFERS_VERSION_(MAJOR|MINOR|REVISION) [0-9]+")
string(REGEX MATCHALL "[0-9]+" _numbers "${_lines}")
string(REPLACE ";" "." _header_version "${_numbers}")
if(NOT _flatc_version STREQUAL _header_version)
  message(FATAL_ERROR "flatc is version ${_flatc_version} but the headers in ${POTSTILL_FLATBUFFERS_INCLUDE} are "
                      "${_header_version}: install flatbuffers-compiler and libflatbuffers-dev of one version")
endif()

set(_schema "${CMAKE_CURRENT_SOURCE_DIR}/schema/still.fbs")
set(_generated "${CMAKE_CURRENT_BINARY_DIR}/generated")
set(_staged "${CMAKE_CURRENT_BINARY_DIR}/staged")
file(COPY "${POTSTILL_FLATBUFFERS_INCLUDE}/flatbuffers" DESTINATION "${_staged}")

add_custom_command(
  OUTPUT "${_generated}/still_generated.h"
  COMMAND "${POTSTILL_FLATC}" --cpp --scoped-enums --gen-object-api -o "${_generated}" "${_schema}"
  DEPENDS "${_schema}" COMMENT "C++ code of still.fbs" VERBATIM)
set(POTSTILL_SCHEMA_PYTHON "${_generated}/python/_still_fb.py")
add_custom_command(
  OUTPUT "${POTSTILL_SCHEMA_PYTHON}"
  COMMAND "${POTSTILL_FLATC}" --python --gen-onefile --gen-object-api -o "${_generated}/python" "${_schema}"
  COMMAND "${CMAKE_COMMAND}" -E rename "${_generated}/python/still_generated.py" "${POTSTILL_SCHEMA_PYTHON}"
  DEPENDS "${_schema}" COMMENT "Python code of still.fbs" VERBATIM)
add_custom_target(potstill_schema_python DEPENDS "${POTSTILL_SCHEMA_PYTHON}")

add_custom_target(potstill_schema_cpp DEPENDS "${_generated}/still_generated.h")
add_library(potstill_schema INTERFACE)
add_dependencies(potstill_schema potstill_schema_cpp)
target_include_directories(potstill_schema SYSTEM INTERFACE "${_generated}" "${_staged}")
