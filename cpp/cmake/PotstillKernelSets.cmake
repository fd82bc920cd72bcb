# Reads sets.def and kernels.def of cpp/src/kernels/.
#
# potstill_read_kernel_sets(FOLDER) sets POTSTILL_KERNELS, POTSTILL_KERNEL_SETS and POTSTILL_KERNEL_MACHINES, lists of
# names, and for each set POTSTILL_KERNEL_SET_MACHINE_<set>, ..._HOLDS_<set> and ..._FLAGS_<set>.
# potstill_kernel_sections(FILE) then writes the linker script that gives the sets their sections.
#
#   cmake -D KERNELS=cpp/src/kernels -D OUTPUT=FILE -P PotstillKernelSets.cmake    writes it without a build
if(CMAKE_SCRIPT_MODE_FILE)
  cmake_minimum_required(VERSION 3.25)
endif()

function(potstill_read_kernel_sets folder)
  file(STRINGS "${folder}/kernels.def" rows REGEX "^POTSTILL_KERNEL\\(")
  list(TRANSFORM rows REPLACE "^[^(]*\\(([a-z0-9_]+),.*" "\\1" OUTPUT_VARIABLE names)
  set(POTSTILL_KERNELS "${names}" PARENT_SCOPE)
  file(READ "${folder}/sets.def" text)
  string(REGEX MATCHALL "POTSTILL_KERNEL_SET\\([^()]*\\)" rows "${text}")
  set(names "")
  set(machines "")
  foreach(row IN LISTS rows)
    string(REGEX REPLACE "[ \n]+" " " row "${row}")
    if(NOT row MATCHES "\\(([a-z0-9_]+), ([a-z0-9_]+), \"([^\"]*)\", \"([^\"]*)\", \"([^\"]*)\"\\)$")
      message(FATAL_ERROR "sets.def: not of the form described there: ${row}")
    endif()
    set(name "${CMAKE_MATCH_1}")
    set(machine "${CMAKE_MATCH_2}")
    set(holds "${CMAKE_MATCH_4}")
    separate_arguments(flags UNIX_COMMAND "${CMAKE_MATCH_5}")
    list(APPEND names "${name}")
    list(APPEND machines "${machine}")
    set(POTSTILL_KERNEL_SET_MACHINE_${name} "${machine}" PARENT_SCOPE)
    set(POTSTILL_KERNEL_SET_HOLDS_${name} "${holds}" PARENT_SCOPE)
    set(POTSTILL_KERNEL_SET_FLAGS_${name} "${flags}" PARENT_SCOPE)
  endforeach()
  list(REMOVE_DUPLICATES machines)
  list(REMOVE_ITEM machines any)
  set(POTSTILL_KERNEL_SETS "${names}" PARENT_SCOPE)
  set(POTSTILL_KERNEL_MACHINES "${machines}" PARENT_SCOPE)
endfunction()

function(potstill_kernel_sections output)
  set(sections "")
  foreach(set IN LISTS POTSTILL_KERNEL_SETS)
    if(POTSTILL_KERNEL_SET_HOLDS_${set})
      string(APPEND sections "  .text.${set} : { */kernels/${set}/*(.text .text.*) }\n")
    endif()
  endforeach()
  file(CONFIGURE OUTPUT "${output}" @ONLY CONTENT "\
/* Machine code of the kernel sets that need more than the baseline goes into sections of its own, which strip keeps:
   a finished library shows by itself where newer instructions are (toolchains/audit/ reads it so). libgcc.a has
   newer atomics behind a check at run time. Added to the linker's own script by INSERT. */
SECTIONS
{
@sections@  .text.libgcc : { *libgcc.a:*(.text .text.*) }
}
INSERT AFTER .text;
")
endfunction()

if(CMAKE_SCRIPT_MODE_FILE)
  potstill_read_kernel_sets("${KERNELS}")
  potstill_kernel_sections("${OUTPUT}")
endif()
