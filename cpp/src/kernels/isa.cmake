# Defines the target potstill_kernels: all kernel sets for the target machine, dispatch and CPU detection.
# Each set's files get their own flags; a set's code is reached only through its function pointers (select.cpp), and
# nothing in it has external inline functions, so code with newer instructions cannot leak into other objects.
# To add a set: a folder here, a potstill_kernel_set line, its declarations in sets.h and its table in select.cpp.

set(_kernels_dir "${CMAKE_CURRENT_LIST_DIR}")
get_filename_component(_src_dir "${_kernels_dir}" DIRECTORY)

add_library(potstill_kernels OBJECT
  "${_src_dir}/cpu/features.cpp"
  "${_src_dir}/cpu/detect.cpp"
  "${_kernels_dir}/select.cpp")
target_include_directories(potstill_kernels PUBLIC "${_src_dir}" "${_src_dir}/../include")
target_compile_features(potstill_kernels PUBLIC cxx_std_20)
set_target_properties(potstill_kernels PROPERTIES
  POSITION_INDEPENDENT_CODE ON
  CXX_VISIBILITY_PRESET hidden
  INTERPROCEDURAL_OPTIMIZATION OFF)  # link-time inlining would mix instruction sets

# The bits of f32 results depend on these: no fused contraction, no fast-math.
target_compile_options(potstill_kernels PRIVATE -ffp-contract=off -fno-fast-math -fno-math-errno)

# potstill_kernel_set(<folder> FILES <name>... FLAGS <flag>...)
function(potstill_kernel_set set)
  cmake_parse_arguments(arg "" "" "FILES;FLAGS" ${ARGN})
  list(TRANSFORM arg_FILES PREPEND "${_kernels_dir}/${set}/")
  list(TRANSFORM arg_FILES APPEND ".cpp")
  target_sources(potstill_kernels PRIVATE ${arg_FILES})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND NOT set STREQUAL "reference")
    # GCC's first scheduling pass raises register pressure: 8 spills in a 4x4 int8 tile on aarch64, none without it.
    # Partial redundancy elimination peels into the accumulator loops: 24 copies and 39 stack accesses a step with VNNI.
    list(APPEND arg_FLAGS -fno-schedule-insns -fno-tree-pre)
    # GCC 12's own AVX-512 intrinsics start from self-initialised variables (GCC bug 105593).
    list(APPEND arg_FLAGS -Wno-maybe-uninitialized)
    # Vector types as template arguments lose may_alias; values of them are only ever in registers.
    list(APPEND arg_FLAGS -Wno-ignored-attributes)
  endif()
  set_source_files_properties(${arg_FILES} PROPERTIES COMPILE_OPTIONS "${arg_FLAGS}")
endfunction()

set(_all_kernels gemm_f32 gemm_i8 gemm_i4 quantize layer_norm attention_head embed_rows mean_pool)

potstill_kernel_set(reference FILES ${_all_kernels} gemm_i4 l2_normalize)

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  target_compile_definitions(potstill_kernels PRIVATE POTSTILL_KERNELS_X86)
  potstill_kernel_set(avx2 FILES ${_all_kernels} FLAGS -mavx2 -mfma)
  potstill_kernel_set(avx512vnni FILES ${_all_kernels}
    FLAGS -mavx2 -mfma -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  target_compile_definitions(potstill_kernels PRIVATE POTSTILL_KERNELS_AARCH64)
  potstill_kernel_set(neon FILES ${_all_kernels} FLAGS -march=armv8-a)
  potstill_kernel_set(neon_dotprod FILES gemm_i8 gemm_i4 FLAGS -march=armv8.2-a+dotprod)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^arm")
  # Only the integer product: 32-bit NEON flushes denormals in f32, which would change bits.
  target_compile_definitions(potstill_kernels PRIVATE POTSTILL_KERNELS_ARMV7)
  potstill_kernel_set(neon32 FILES gemm_i8 gemm_i4 FLAGS -mfpu=neon-vfpv4)
endif()
# Other machines run the reference set.
