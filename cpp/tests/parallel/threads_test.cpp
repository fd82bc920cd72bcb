#include "parallel/threads.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "potstill/error.h"

namespace potstill::parallel {
namespace {

namespace fs = std::filesystem;

class Quota : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(::testing::TempDir()) / ("potstill_quota_" + std::to_string(getpid()));
    fs::remove_all(root_);
  }
  void TearDown() override { fs::remove_all(root_); }
  void put(const std::string& path, const std::string& text) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  int cpus() const { return quota_cpus(root_.string()); }
  fs::path root_;
};

TEST_F(Quota, NothingThereMeansNoLimit) { EXPECT_EQ(cpus(), 0); }

TEST_F(Quota, VersionTwo) {
  put("proc/self/cgroup", "0::/a/b\n");
  put("sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
  EXPECT_EQ(cpus(), 0);
  put("sys/fs/cgroup/a/b/cpu.max", "300000 100000\n");
  EXPECT_EQ(cpus(), 3);
  put("sys/fs/cgroup/a/cpu.max", "250000 100000\n");  // a parent's limit counts too; part CPUs are dropped
  EXPECT_EQ(cpus(), 2);
  put("sys/fs/cgroup/a/b/cpu.max", "50000 100000\n");
  EXPECT_EQ(cpus(), 1);
}

TEST_F(Quota, VersionTwoInsideAContainerSeesItsOwnRoot) {
  put("proc/self/cgroup", "0::/\n");
  put("sys/fs/cgroup/cpu.max", "400000 100000\n");
  EXPECT_EQ(cpus(), 4);
}

TEST_F(Quota, VersionOne) {
  put("proc/self/cgroup", "5:memory:/m\n4:cpu,cpuacct:/docker/x\n");
  put("sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_quota_us", "200000\n");
  put("sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cpus(), 2);
  put("sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_quota_us", "50000\n");  // half a CPU is one thread, never none
  EXPECT_EQ(cpus(), 1);
  put("sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(cpus(), 0);
}

TEST_F(Quota, NonsenseIsNoLimit) {
  put("proc/self/cgroup", "junk\n0::\n:::\n");
  put("sys/fs/cgroup/cpu.max", "x y\n");
  EXPECT_EQ(cpus(), 0);
}

std::string error_of(int requested) {
  try {
    resolve_threads(requested);
    return "";
  } catch (const Error& error) {
    return error.code;
  }
}

TEST(Threads, ArgumentThenEnvironmentThenMachine) {
  unsetenv("POTSTILL_NUM_THREADS");
  const int machine = resolve_threads(0);
  EXPECT_GE(machine, 1);
  EXPECT_LE(machine, affinity_cpus());
  setenv("POTSTILL_NUM_THREADS", "7", 1);
  EXPECT_EQ(resolve_threads(0), 7);
  EXPECT_EQ(resolve_threads(3), 3);
  for (const char* bad : {"0", "-1", "257", "two", "2x", " 2", "99999999999999999999"}) {
    setenv("POTSTILL_NUM_THREADS", bad, 1);
    EXPECT_EQ(error_of(0), "I004") << bad;
  }
  setenv("POTSTILL_NUM_THREADS", "", 1);
  EXPECT_EQ(resolve_threads(0), machine);
  unsetenv("POTSTILL_NUM_THREADS");
  EXPECT_EQ(error_of(-1), "I004");
  EXPECT_EQ(error_of(257), "I004");
}

TEST(Threads, SmallForwardsUseFewerThreads) {
  EXPECT_EQ(worth_threads(4, 0), 1);
  EXPECT_EQ(worth_threads(4, kWorkAThread), 1);
  EXPECT_EQ(worth_threads(4, 2 * kWorkAThread - 1), 1);
  EXPECT_EQ(worth_threads(4, 2 * kWorkAThread), 2);
  EXPECT_EQ(worth_threads(4, 3 * kWorkAThread), 3);
  EXPECT_EQ(worth_threads(4, UINT64_MAX), 4);
  EXPECT_EQ(worth_threads(1, UINT64_MAX), 1);
}

}  // namespace
}  // namespace potstill::parallel
