// Google Benchmark over the cases of cases.h, for every kernel set this machine runs; products in multiply-adds a
// second, the rest in elements a second.
//
//   potstill-kernel-bench [SET ...] [--benchmark_filter=gemm_i8/64]
#include <benchmark/benchmark.h>

#include <cstdio>
#include <exception>

#include "bench/cases.h"
#include "kernels/select.h"
#include "potstill/error.h"

namespace {

void add(const potstill::kernels::KernelTable& set, const potstill::bench::Case& one) {
  const bool product = one.name.starts_with("gemm") || one.name.starts_with("attention");
  benchmark::RegisterBenchmark(
      (std::string(set.name) + "/" + one.name).c_str(), [&set, one, product](benchmark::State& state) {
        for (auto round : state) {
          (void)round;
          one.call(set);
          benchmark::ClobberMemory();
        }
        state.counters[product ? "MAC/s" : "elements/s"] =
            benchmark::Counter(static_cast<double>(one.work), benchmark::Counter::kIsIterationInvariantRate);
      });
}

}  // namespace

int main(int arguments, char** argument) {
  benchmark::Initialize(&arguments, argument);  // takes its own --benchmark_... away
  try {
    std::vector<std::string> names(argument + 1, argument + arguments);
    if (names.empty()) names = potstill::kernels::available();
    const std::vector<potstill::bench::Case> all = potstill::bench::cases();
    for (const std::string& name : names) {
      const potstill::kernels::KernelTable& set = potstill::kernels::select(name);
      for (const potstill::bench::Case& one : all) add(set, one);
    }
    benchmark::RunSpecifiedBenchmarks();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
