# Compile options of everything of ours: no contraction (a*b+c stays two roundings unless written as fma), no symbol
# visible unless exported.
add_library(potstill_options INTERFACE)
target_compile_features(potstill_options INTERFACE cxx_std_20)
target_compile_options(potstill_options INTERFACE -ffp-contract=off -Wall -Wextra -Wpedantic -Wshadow -Wconversion)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC 12 sees an impossible overlap in `"text" + std::string` (GCC bug 105651, fixed in 13).
  target_compile_options(potstill_options INTERFACE -Wno-restrict)
endif()
if(POTSTILL_WERROR)
  target_compile_options(potstill_options INTERFACE -Werror)
endif()
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
