# The library for others, and packages of it.
#
#   potstill_static, potstill_shared    libpotstill.a and libpotstill.so.0, of the same objects
#   potstill::potstill                  one of them by BUILD_SHARED_LIBS, for add_subdirectory()
#   install                             libraries, headers, CMake package, potstill.pc, potstill-run, examples, licence
#   cpack -G TGZ, cpack -G DEB          the same as a file; toolchains/packages/build.py builds both and checks them
#
# The soname changes when the C API breaks (potstill.h says what it promises), not with the version.
set(POTSTILL_SOVERSION 0)
set(POTSTILL_MAINTAINER "Potstill authors <potstill@example.org>" CACHE STRING "Maintainer of Debian packages")

foreach(_kind static shared)
  string(TOUPPER ${_kind} _type)
  add_library(potstill_${_kind} ${_type} $<TARGET_OBJECTS:potstill_core> $<TARGET_OBJECTS:potstill_kernels>)
  set_target_properties(potstill_${_kind} PROPERTIES
    OUTPUT_NAME potstill EXPORT_NAME ${_kind} LINKER_LANGUAGE CXX
    VERSION "${PROJECT_VERSION}" SOVERSION ${POTSTILL_SOVERSION})
  target_compile_features(potstill_${_kind} INTERFACE cxx_std_20)
  target_include_directories(potstill_${_kind} INTERFACE
    "$<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>" "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
endforeach()
target_link_libraries(potstill_static PUBLIC Threads::Threads)
target_link_libraries(potstill_shared PRIVATE Threads::Threads)
if(POTSTILL_OPENMP)
  target_link_libraries(potstill_static PUBLIC OpenMP::OpenMP_CXX)
  target_link_libraries(potstill_shared PRIVATE OpenMP::OpenMP_CXX)
endif()
# Templates of the C++ library are visible whatever the flags: only the version script keeps them in.
set(_map "${CMAKE_CURRENT_SOURCE_DIR}/potstill.map")
target_link_options(potstill_shared PRIVATE
  "${POTSTILL_STAY_LOADED}" "LINKER:--version-script=${_map}" "LINKER:--no-undefined"
  $<$<CONFIG:Release,MinSizeRel>:-s>)
set_target_properties(potstill_shared PROPERTIES LINK_DEPENDS "${_map}")
if(BUILD_SHARED_LIBS)
  add_library(potstill::potstill ALIAS potstill_shared)
else()
  add_library(potstill::potstill ALIAS potstill_static)
endif()

include(CMakePackageConfigHelpers)
set(_package "${CMAKE_INSTALL_LIBDIR}/cmake/potstill")
set(_doc "${CMAKE_INSTALL_DATADIR}/doc/potstill")
install(TARGETS potstill_static potstill_shared EXPORT potstill-targets)
install(DIRECTORY include/potstill DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT potstill-targets NAMESPACE potstill:: DESTINATION "${_package}")
configure_package_config_file(cmake/potstill-config.cmake.in potstill-config.cmake INSTALL_DESTINATION "${_package}")
write_basic_package_version_file(potstill-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/potstill-config.cmake"
              "${CMAKE_CURRENT_BINARY_DIR}/potstill-config-version.cmake" DESTINATION "${_package}")

# Relative to the file itself: an unpacked archive works from any folder.
file(RELATIVE_PATH _pc_prefix "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
string(REGEX REPLACE "/$" "" _pc_prefix "${_pc_prefix}")
configure_file(cmake/potstill.pc.in potstill.pc @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/potstill.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

install(DIRECTORY examples DESTINATION "${_doc}")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${_doc}")
configure_file(cmake/copyright.in copyright @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/copyright" DESTINATION "${_doc}")
# Debian wants a changelog in its own form, compressed.
find_program(POTSTILL_GZIP gzip NO_CMAKE_FIND_ROOT_PATH)
mark_as_advanced(POTSTILL_GZIP)
if(POTSTILL_GZIP)
  file(CONFIGURE OUTPUT changelog @ONLY CONTENT "potstill (@PROJECT_VERSION@) stable; urgency=medium

  * Release @PROJECT_VERSION@; what is new stands in the project's CHANGELOG.md.

 -- @POTSTILL_MAINTAINER@  Thu, 01 Jan 2026 00:00:00 +0000
")
  execute_process(COMMAND "${POTSTILL_GZIP}" -9nfk changelog WORKING_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}"
                  COMMAND_ERROR_IS_FATAL ANY)
  install(FILES "${CMAKE_CURRENT_BINARY_DIR}/changelog.gz" DESTINATION "${_doc}")
endif()

if(NOT PROJECT_IS_TOP_LEVEL)
  return()  # a project that includes this one packs itself
endif()

# One package, not Debian's usual three: one file to copy to a board. It stands for libpotstill0 and libpotstill-dev.
set(CPACK_PACKAGE_NAME potstill)
set(CPACK_PACKAGE_VENDOR "Potstill")
set(CPACK_PACKAGE_CONTACT "${POTSTILL_MAINTAINER}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "runs small compiled text encoders, the same bits everywhere")
set(CPACK_PACKAGE_DESCRIPTION "\
Potstill loads a .still file, a distilled and quantized text encoder, and
classifies text with it: library with C and C++ interfaces, headers, CMake
package, and the program potstill-run.")
set(CPACK_PACKAGE_FILE_NAME "potstill-${PROJECT_VERSION}-linux-${POTSTILL_MACHINE}")
set(CPACK_GENERATOR TGZ)
set(CPACK_THREADS 1)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_PROVIDES
    "libpotstill${POTSTILL_SOVERSION} (= ${PROJECT_VERSION}), libpotstill-dev (= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS OFF)  # dpkg-shlibdeps cannot read a foreign machine's libraries
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(_debian_aarch64 arm64)
set(_debian_armv7l armhf)
set(_debian_x86_64 amd64)
if(DEFINED _debian_${POTSTILL_MACHINE})
  set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE "${_debian_${POTSTILL_MACHINE}}")
endif()
# What dpkg-shlibdeps gives programs linked to the library, and that the loader's cache learns of it.
set(_control "${CMAKE_CURRENT_BINARY_DIR}/debian")
file(CONFIGURE OUTPUT "${_control}/shlibs"
     CONTENT "libpotstill ${POTSTILL_SOVERSION} potstill (>= ${PROJECT_VERSION})\n")
file(CONFIGURE OUTPUT "${_control}/triggers" CONTENT "activate-noawait ldconfig\n")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA "${_control}/shlibs;${_control}/triggers")
include(CPack)
