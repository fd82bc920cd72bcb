// Dispatch: which set runs for which CPU, and what the user reads when it cannot.
#include "kernels/select.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

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

TEST(Select, KnownNameThatCannotRunIsK002) {
  for (const char* name : {"avx512vnni", "avx2", "neon_dotprod", "neon"}) {
    const Error error = error_of(name, cpu::Features{});
    EXPECT_EQ(error.code, "K002");
    EXPECT_NE(error.what_happened.find(name), std::string::npos);
    EXPECT_NE(error.next_step.find("reference"), std::string::npos);
  }
}

#if defined(__x86_64__)
TEST(Select, X86ByFeatures) {
  EXPECT_STREQ(select("", {.avx2 = true}).name, "avx2");
  EXPECT_STREQ(select("", {.avx2 = true, .avx512vnni = true}).name, "avx512vnni");
  EXPECT_EQ(error_of("avx512vnni", {.avx2 = true}).code, "K002");
  EXPECT_EQ(error_of("neon", {.avx2 = true}).where, "this build is for another machine");
}
#elif defined(__aarch64__)
TEST(Select, Aarch64ByFeatures) {
  EXPECT_STREQ(select("", {.neon = true}).name, "neon");
  EXPECT_STREQ(select("", {.neon = true, .dotprod = true}).name, "neon_dotprod");
  EXPECT_EQ(error_of("neon_dotprod", {.neon = true}).code, "K002");
  EXPECT_EQ(error_of("avx2", {.neon = true}).where, "this build is for another machine");
}
#elif defined(__arm__)
TEST(Select, Armv7ByFeatures) {
  EXPECT_STREQ(select("", {.neon = true}).name, "neon");
  EXPECT_EQ(error_of("neon", {}).where, "this CPU offers: none");
  EXPECT_EQ(error_of("neon_dotprod", {.neon = true}).where, "this build is for another machine");
}
#endif

// Tables share what a set does not have of its own; none has a hole.
TEST(Select, TablesAreComplete) {
  for (const std::string& name : available()) {
    const KernelTable& t = select(name);
    EXPECT_TRUE(t.gemm_f32 && t.gemm_i8 && t.gemm_i4 && t.quantize_symmetric && t.quantize_asymmetric && t.layer_norm &&
                t.attention_head && t.embed_rows && t.mean_pool)
        << name;
  }
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
