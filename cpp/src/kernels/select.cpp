#include "kernels/select.h"

#include <array>
#include <cstdlib>
#include <type_traits>

#include "potstill/error.h"

namespace potstill::kernels {

// The kernels of this build: kernels/built.def, which CMake writes, has a row for each file that it compiles.
// NOLINTBEGIN(bugprone-macro-parentheses): the name of a function
#define POTSTILL_BUILT_KERNEL(set, kernel)                     \
  namespace set {                                              \
  std::remove_pointer_t<decltype(KernelTable::kernel)> kernel; \
  }
// NOLINTEND(bugprone-macro-parentheses)
#include "kernels/built.def"

namespace {

constexpr Machine kThisMachine = Machine::POTSTILL_KERNEL_MACHINE;

// Every set Potstill knows, best first within a machine: those of other machines too, whose rules names_for() tells.
struct Set {
  const char* name;
  Machine machine;
  const char* needs;

  constexpr bool is_for(Machine wanted) const { return machine == wanted || machine == Machine::any; }
  bool runs(Machine wanted, const cpu::Features& features) const { return is_for(wanted) && features.has(needs); }
};

constexpr Set kSets[] = {
#define POTSTILL_KERNEL_SET(name, machine, needs, holds, flags) {#name, Machine::machine, needs},
#include "kernels/sets.def"
};
constexpr std::size_t kCount = std::size(kSets);

enum Index : std::size_t {
#define POTSTILL_KERNEL_SET(name, machine, needs, holds, flags) k_##name,
#include "kernels/sets.def"
};

// The tables of kSets; those of other machines stay empty.
constexpr std::array<KernelTable, kCount> make_tables() {
  std::array<KernelTable, kCount> tables{};
#define POTSTILL_BUILT_KERNEL(set, kernel) tables[k_##set].kernel = set::kernel;
#include "kernels/built.def"
  std::size_t next = kCount;  // of this machine: it has what a set lacks, and must run wherever the set runs
  for (std::size_t i = kCount; i-- > 0;) {
    if (!kSets[i].is_for(kThisMachine)) continue;
    tables[i].name = kSets[i].name;
    if (next < kCount && cpu::has_words(kSets[i].needs, kSets[next].needs)) {
#define POTSTILL_KERNEL(kernel, Call) \
  if (tables[i].kernel == nullptr) tables[i].kernel = tables[next].kernel;
#include "kernels/kernels.def"
    }
    next = i;
  }
  return tables;
}

constexpr std::array<KernelTable, kCount> kTables = make_tables();

constexpr bool complete() {
  for (std::size_t i = 0; i < kCount; ++i) {
    if (!kSets[i].is_for(kThisMachine)) continue;
#define POTSTILL_KERNEL(kernel, Call) \
  if (kTables[i].kernel == nullptr) return false;
#include "kernels/kernels.def"
  }
  return true;
}
static_assert(complete(), "a kernel is in neither reference/ nor its set, whose next set needs another CPU");

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    if (!text.empty()) text += ", ";
    text += name;
  }
  return text;
}

}  // namespace

std::vector<std::string> names_for(Machine machine, const cpu::Features& features) {
  std::vector<std::string> names;
  for (const Set& set : kSets) {
    if (set.runs(machine, features)) names.emplace_back(set.name);
  }
  return names;
}

std::vector<std::string> available(const cpu::Features& features) { return names_for(kThisMachine, features); }

const KernelTable& select(std::string_view name, const cpu::Features& features) {
  bool known = false, built = false;
  for (std::size_t i = 0; i < kCount; ++i) {
    const Set& set = kSets[i];
    if (!name.empty() && name != set.name) continue;
    if (set.runs(kThisMachine, features)) return kTables[i];
    known = true;
    built = built || set.is_for(kThisMachine);
  }
  if (known) {
    throw Error("K002", "kernel set '" + std::string(name) + "' cannot run here",
                built ? "this CPU offers: " + cpu::to_string(features) : "this build is for another machine",
                "unset POTSTILL_ISA or use one of: " + joined(available(features)));
  }
  throw Error("K001", "there is no kernel set '" + std::string(name) + "'", "POTSTILL_ISA",
              "unset it or use one of: " + joined(available(features)));
}

std::vector<std::string> available() { return available(cpu::detect()); }
const KernelTable& select(std::string_view name) { return select(name, cpu::detect()); }

const KernelTable& active() {
  const char* name = std::getenv("POTSTILL_ISA");
  return select(name ? name : "");
}

}  // namespace potstill::kernels
