# Defines the target potstill_kernels: dispatch, CPU detection and the kernel sets for the target machine, as the rows of
# sets.def and kernels.def and the files in the sets' folders say. Each set's files get their own flags; a set's code is
# reached only through the table that select.cpp makes, and nothing in it has external inline functions, so code with
# newer instructions cannot leak into other objects.

set(_kernels_dir "${CMAKE_CURRENT_LIST_DIR}")
get_filename_component(_src_dir "${_kernels_dir}" DIRECTORY)
set(_generated "${CMAKE_CURRENT_BINARY_DIR}/generated")

add_library(potstill_kernels OBJECT
  "${_src_dir}/cpu/features.cpp"
  "${_src_dir}/cpu/detect.cpp"
  "${_kernels_dir}/select.cpp")
target_include_directories(potstill_kernels
  PUBLIC "${_src_dir}" "${_src_dir}/../include" PRIVATE "${_generated}")
target_compile_features(potstill_kernels PUBLIC cxx_std_20)
set_target_properties(potstill_kernels PROPERTIES
  POSITION_INDEPENDENT_CODE ON
  CXX_VISIBILITY_PRESET hidden
  INTERPROCEDURAL_OPTIMIZATION OFF)  # link-time inlining would mix instruction sets

# The bits of f32 results depend on these: no fused contraction, no fast-math.
target_compile_options(potstill_kernels PRIVATE -ffp-contract=off -fno-fast-math -fno-math-errno)
set(_set_flags "")
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC's first scheduling pass raises register pressure: 8 spills in a 4x4 int8 tile on aarch64, none without it.
  # Partial redundancy elimination peels into the accumulator loops: 24 copies and 39 stack accesses a step with VNNI.
  list(APPEND _set_flags -fno-schedule-insns -fno-tree-pre)
  # GCC 12's own AVX-512 intrinsics start from self-initialised variables (GCC bug 105593).
  list(APPEND _set_flags -Wno-maybe-uninitialized)
  # Vector types as template arguments lose may_alias; values of them are only ever in registers.
  list(APPEND _set_flags -Wno-ignored-attributes)
endif()

include(PotstillKernelSets)
potstill_read_kernel_sets("${_kernels_dir}")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
             "${_kernels_dir}/sets.def" "${_kernels_dir}/kernels.def")
if(POTSTILL_MACHINE IN_LIST POTSTILL_KERNEL_MACHINES)
  set(_machine "${POTSTILL_MACHINE}")
else()
  set(_machine any)  # other machines run the reference set
endif()
target_compile_definitions(potstill_kernels PRIVATE POTSTILL_KERNEL_MACHINE=${_machine})

# The kernels of a set: the files in its folder and, where that has a vec.h, those of simd/ compiled with it.
set(_built "")
file(GLOB _simd CONFIGURE_DEPENDS "${_kernels_dir}/simd/*.cpp")
foreach(_set IN LISTS POTSTILL_KERNEL_SETS)
  if(NOT POTSTILL_KERNEL_SET_MACHINE_${_set} MATCHES "^(${_machine}|any)$")
    continue()
  endif()
  file(GLOB _files CONFIGURE_DEPENDS "${_kernels_dir}/${_set}/*.cpp")
  set(_names ${_files})
  list(TRANSFORM _names REPLACE ".*/(.*)\\.cpp$" "\\1")
  if(EXISTS "${_kernels_dir}/${_set}/vec.h")
    foreach(_shared IN LISTS _simd)
      get_filename_component(_name "${_shared}" NAME_WE)
      if(NOT _name IN_LIST _names)
        set(_file "${_generated}/kernels/${_set}/${_name}.cpp")
        file(CONFIGURE OUTPUT "${_file}"
             CONTENT "#include \"kernels/${_set}/vec.h\"\n#include \"kernels/simd/${_name}.cpp\"  // NOLINT\n")
        list(APPEND _files "${_file}")
        list(APPEND _names "${_name}")
      endif()
    endforeach()
  endif()
  if(NOT _names)
    message(FATAL_ERROR "sets.def has a row ${_set}, but there is no kernel in ${_kernels_dir}/${_set}")
  endif()
  foreach(_name IN LISTS _names)
    if(NOT _name IN_LIST POTSTILL_KERNELS)
      message(FATAL_ERROR "kernels.def has no row ${_name}, the name of a file of the kernel set ${_set}")
    endif()
    string(APPEND _built "POTSTILL_BUILT_KERNEL(${_set}, ${_name})\n")
  endforeach()
  target_sources(potstill_kernels PRIVATE ${_files})
  set(_flags ${POTSTILL_KERNEL_SET_FLAGS_${_set}})
  if(NOT _set STREQUAL "reference")
    list(APPEND _flags ${_set_flags})
  endif()
  set_source_files_properties(${_files} PROPERTIES
    COMPILE_OPTIONS "${_flags}" COMPILE_DEFINITIONS "POTSTILL_KERNEL_SET=${_set}")
endforeach()
file(CONFIGURE OUTPUT "${_generated}/kernels/built.def" CONTENT "${_built}#undef POTSTILL_BUILT_KERNEL\n")
