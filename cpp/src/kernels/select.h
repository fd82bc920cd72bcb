// The only dispatch: which kernel table runs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cpu/features.h"
#include "kernels/kernels.h"

namespace potstill::kernels {

// What a build is for, by the words of sets.def; any: another machine.
enum class Machine { x86_64, aarch64, armv7l, any };

// Names of the sets that a build for `machine` runs on a CPU with `features`, best first: the first is chosen,
// "reference" is always the last.  The same for every build, so that tests can ask for machines that are not there.
std::vector<std::string> names_for(Machine machine, const cpu::Features& features);

// Names this build contains and a CPU with `features` runs, best first; "reference" is always the last.
std::vector<std::string> available(const cpu::Features& features);
std::vector<std::string> available();  // for this machine

// The set called `name`; empty: the best one.  Throws Error K001 (no such set in Potstill) or K002 (this build or a CPU
// with `features` lacks it).
const KernelTable& select(std::string_view name, const cpu::Features& features);
const KernelTable& select(std::string_view name);  // for this machine

// select() of the environment variable POTSTILL_ISA, read at each call; unset or empty: the best set.
const KernelTable& active();

}  // namespace potstill::kernels
