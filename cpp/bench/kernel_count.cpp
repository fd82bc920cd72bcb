// potstill-kernel-count: every case of cases.h once, warm, inside a window that an instruction counter sees.
//
//   potstill-kernel-count SET
//
// Under qemu-user the plugin toolchains/cycles/qemu_count.c counts between the two refused system calls; under
// valgrind's callgrind each window becomes a dump of its own. Prints "NUMBER<tab>NAME" for each window, whose label the
// number is. Without either it only runs the kernels.
#include <sys/resource.h>

#include <cstdio>
#include <exception>

#include "bench/cases.h"
#include "kernels/select.h"
#include "potstill/error.h"

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_ZERO_STATS
#define CALLGRIND_DUMP_STATS_AT(text) (void)(text)
#endif

namespace {

constexpr int kOpen = 0x57110001, kClose = 0x57110000;

void marker(int which, unsigned label) { (void)getpriority(static_cast<__priority_which_t>(which), label); }

void count(const potstill::kernels::KernelTable& set, const potstill::bench::Case& one, unsigned label) {
  one.call(set);  // so that lazy binding and first touches stay outside
  CALLGRIND_ZERO_STATS;
  marker(kOpen, label);
  one.call(set);
  marker(kClose, label);
  CALLGRIND_DUMP_STATS_AT(std::to_string(label).c_str());
  std::printf("%u\t%s\n", label, one.name.c_str());
}

}  // namespace

int main(int arguments, char** argument) {
  if (arguments != 2) {
    std::fputs("usage: potstill-kernel-count SET\n", stderr);
    return 2;
  }
  try {
    const potstill::kernels::KernelTable& set = potstill::kernels::select(argument[1]);
    unsigned label = 0;
    for (const potstill::bench::Case& one : potstill::bench::cases()) count(set, one, ++label);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
