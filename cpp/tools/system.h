// What the library finds on this machine: for users who have no Python, and with it no doctor.
#pragma once

#include <string>
#include <vector>

namespace potstill::tools {

struct System {
  std::string version;              // of Potstill
  std::string machine;              // "aarch64", "armv7l", "x86_64": of this program
  int bits = 0;                     // of a pointer
  std::string system, kernel;       // machine of the kernel: "aarch64"; "Linux 6.6.31-v8+"
  std::string features;             // "asimd asimddp", "none"
  std::string kernel_set;           // chosen, POTSTILL_ISA included
  std::vector<std::string> usable;  // that could be chosen, best first
  int threads = 0;                  // used by default, POTSTILL_NUM_THREADS included
  int cpus = 0;                     // in this process's affinity mask
  int quota = 0;                    // whole CPUs the cgroup allows, 0: no limit
  long page_size = 0;               // bytes
};

// This machine. Throws Error K001, K002 (POTSTILL_ISA) and I004 (POTSTILL_NUM_THREADS).
System this_system();

// Lines "name: value".
std::string text(const System& system);

// One line of JSON.
std::string json(const System& system);

}  // namespace potstill::tools
