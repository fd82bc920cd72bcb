// Dispatch: which set runs for which CPU, and what the user reads when it cannot; the tables of kernels.
#include "kernels/select.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "bench/cases.h"
#include "potstill/error.h"

namespace potstill::kernels {
namespace {

Error error_of(std::string_view name, const cpu::Features& features) {
  try {
    select(name, features);
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << name << " was accepted";
  return Error("", "", "", "");
}

TEST(Select, BestComesFirstAndReferenceLast) {
  const auto names = available();
  ASSERT_FALSE(names.empty());
  EXPECT_EQ(names.back(), "reference");
  EXPECT_EQ(select("").name, names.front());
  for (const std::string& name : names) EXPECT_EQ(select(name).name, name);
}

TEST(Select, NoFeaturesMeansReference) {
  EXPECT_EQ(available(cpu::Features{}), std::vector<std::string>{"reference"});
  EXPECT_STREQ(select("", cpu::Features{}).name, "reference");
}

TEST(Select, UnknownNameIsK001WithTheNamesThatExist) {
  const Error error = error_of("sse9", cpu::Features{});
  EXPECT_EQ(error.code, "K001");
  EXPECT_NE(error.what_happened.find("sse9"), std::string::npos);
  EXPECT_NE(error.next_step.find("reference"), std::string::npos);
}

// Every set needs something of the CPU but the reference, which every machine has.
TEST(Select, KnownNameThatCannotRunIsK002) {
#define POTSTILL_KERNEL_SET(name, machine, needs, holds, flags) #name,
  for (const std::string name : {
#include "kernels/sets.def"
       }) {
    if (name == "reference") continue;
    const Error error = error_of(name, cpu::Features{});
    EXPECT_EQ(error.code, "K002");
    EXPECT_NE(error.what_happened.find(name), std::string::npos);
    EXPECT_NE(error.next_step.find("reference"), std::string::npos);
  }
}

#if defined(__x86_64__)
TEST(Select, X86ByFeatures) {
  EXPECT_STREQ(select("", {"fma avx2"}).name, "avx2");
  EXPECT_STREQ(select("", {"fma avx2 avx512f avx512dq avx512bw avx512vl avx512_vnni"}).name, "avx512vnni");
  EXPECT_EQ(error_of("avx512vnni", {"fma avx2"}).code, "K002");
  EXPECT_EQ(error_of("neon", {"fma avx2"}).where, "this build is for another machine");
}
#elif defined(__aarch64__)
TEST(Select, Aarch64ByFeatures) {
  EXPECT_STREQ(select("", {"asimd"}).name, "neon");
  EXPECT_STREQ(select("", {"asimd asimddp"}).name, "neon_dotprod");
  EXPECT_EQ(error_of("neon_dotprod", {"asimd"}).code, "K002");
  EXPECT_EQ(error_of("avx2", {"asimd"}).where, "this build is for another machine");
}
#elif defined(__arm__)
TEST(Select, Armv7ByFeatures) {
  EXPECT_STREQ(select("", {"neon vfpv4"}).name, "neon32");
  EXPECT_EQ(error_of("neon32", {}).where, "this CPU offers: none");
  EXPECT_EQ(error_of("neon32", {"neon"}).where, "this CPU offers: neon");
  EXPECT_EQ(error_of("neon_dotprod", {"neon vfpv4"}).where, "this build is for another machine");
}
#endif

// Sets take from the next what they lack; no table has a hole.
TEST(Select, TablesAreComplete) {
  for (const std::string& name : available()) {
    const KernelTable& t = select(name);
#define POTSTILL_KERNEL(kernel, Call) EXPECT_NE(t.kernel, nullptr) << name << " " #kernel;
#include "kernels/kernels.def"
  }
}

// What nox -s counts and the kernel benchmark measure (bench/cases.cpp) leaves out no kernel.
TEST(Cases, EveryKernelHasOne) {
  static std::set<std::string> called;
  std::set<std::string> all;
  KernelTable spy;
#define POTSTILL_KERNEL(kernel, Call) \
  all.insert(#kernel);                \
  spy.kernel = [](const Call&) { called.insert(#kernel); };
#include "kernels/kernels.def"
  for (const bench::Case& one : bench::cases()) one.call(spy);
  EXPECT_EQ(called, all);
}

TEST(Select, EnvironmentIsReadOnEachCall) {
  const char* before = std::getenv("POTSTILL_ISA");
  const std::string saved = before ? before : "";
  setenv("POTSTILL_ISA", "reference", 1);
  EXPECT_STREQ(active().name, "reference");
  setenv("POTSTILL_ISA", "", 1);
  EXPECT_EQ(active().name, available().front());
  setenv("POTSTILL_ISA", "nonsense", 1);
  EXPECT_THROW(active(), Error);
  unsetenv("POTSTILL_ISA");
  EXPECT_EQ(active().name, available().front());
  if (before) setenv("POTSTILL_ISA", saved.c_str(), 1);
}

}  // namespace
}  // namespace potstill::kernels
