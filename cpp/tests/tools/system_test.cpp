// What potstill-run --system prints.
#include "tools/system.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "potstill/error.h"
#include "potstill/potstill.h"

namespace potstill::tools {
namespace {

TEST(System, ThisMachine) {
  const System s = this_system();
  EXPECT_EQ(s.version, potstill_version());
  EXPECT_EQ(s.bits, static_cast<int>(sizeof(void*)) * 8);
  EXPECT_EQ(s.usable.back(), "reference");
  EXPECT_GE(s.threads, 1);
  EXPECT_GE(s.page_size, 4096);
  EXPECT_NE(text(s).find("kernel set: " + s.kernel_set), std::string::npos);
}

TEST(System, ForcedSet) {
  const char* before = std::getenv("POTSTILL_ISA");
  const std::string saved = before ? before : "";
  setenv("POTSTILL_ISA", "reference", 1);
  EXPECT_EQ(this_system().kernel_set, "reference");
  setenv("POTSTILL_ISA", "nonsense", 1);
  EXPECT_THROW(this_system(), Error);
  unsetenv("POTSTILL_ISA");
  if (before) setenv("POTSTILL_ISA", saved.c_str(), 1);
}

TEST(System, Words) {
  System s;
  s.version = "1.2.3";
  s.machine = "armv7l";
  s.bits = 32;
  s.system = "aarch64";
  s.kernel = "Linux 6.6.31-v8+";
  s.features = "neon";
  s.kernel_set = "neon";
  s.usable = {"neon", "reference"};
  s.threads = 1;
  s.cpus = 4;
  s.quota = 1;
  s.page_size = 16384;
  EXPECT_EQ(text(s),
            "potstill: 1.2.3\nmachine: armv7l, 32-bit program; Linux 6.6.31-v8+ aarch64\nCPU features: neon\n"
            "kernel set: neon (usable here: neon, reference)\nthreads: 1 (4 CPUs, cgroup limit 1)\npage size: 16384\n");
  EXPECT_EQ(json(s),
            "{\"potstill\": \"1.2.3\", \"machine\": \"armv7l\", \"bits\": 32, \"system\": \"aarch64\", \"kernel\": "
            "\"Linux 6.6.31-v8+\", \"features\": \"neon\", \"kernel_set\": \"neon\", \"usable\": [\"neon\", "
            "\"reference\"], \"threads\": 1, \"cpus\": 4, \"quota\": 1, \"page_size\": 16384}\n");
}

}  // namespace
}  // namespace potstill::tools
