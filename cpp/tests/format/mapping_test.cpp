// Files that change while they are loaded or loading.
#include "format/mapping.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <thread>

#include "potstill/model.hpp"
#include "support/tiny_bert.h"

namespace potstill {
namespace {

using testing::Bytes;
using testing::TinyBert;
using testing::TinyShape;

const std::vector<std::vector<int32_t>> kBatch{{2, 5, 9, 3}, {2, 7, 3}};

struct LiveFile {
  std::string path;
  explicit LiveFile(const char* name)
      : path(::testing::TempDir() + "potstill_" + name + "_" + std::to_string(getpid()) + ".still") {}
  ~LiveFile() { std::remove(path.c_str()); }
  void overwrite(const Bytes& bytes) const {  // in place: the same inode
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
};

std::vector<float> logits(const Model& model) { return model.run(kBatch).logits.data; }

Bytes model_of(uint64_t seed) {
  return TinyBert(TinyShape{.vocabulary = 4000, .labels = 2, .quantized = true, .seed = seed}).file();
}

TEST(ReadFile, OverwritingCuttingAndDeletingItLaterChangesNothing) {
  const Bytes first = model_of(1), second = model_of(2);
  const LiveFile file("live");
  file.overwrite(first);
  const Model model = Model::load(file.path, 1);
  const std::vector<float> before = logits(model);
  file.overwrite(second);
  EXPECT_EQ(logits(model), before);
  EXPECT_NE(logits(Model::load(file.path, 1)), before);
  ASSERT_EQ(::truncate(file.path.c_str(), 0), 0);
  EXPECT_EQ(logits(model), before);
  std::remove(file.path.c_str());
  EXPECT_EQ(logits(model), before);
}

// Whatever a load meets, it is one whole file or a numbered error.
TEST(ReadFile, OneThatIsBeingOverwrittenLoadsWholeOrIsRefused) {
  const Bytes versions[] = {model_of(1), model_of(2)};
  const std::vector<float> answers[] = {logits(Model::from_memory(versions[0], 1)),
                                        logits(Model::from_memory(versions[1], 1))};
  const LiveFile file("busy");
  file.overwrite(versions[0]);
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (std::size_t i = 0; !stop; ++i) file.overwrite(versions[i % 2]);
  });
  for (int i = 0; i < 200; ++i) {
    try {
      const std::vector<float> found = logits(Model::load(file.path, 1));
      EXPECT_TRUE(found == answers[0] || found == answers[1]) << "load " << i;
    } catch (const Error& error) {
      EXPECT_EQ(error.code[0], 'F') << error.what();
    }
  }
  stop = true;
  writer.join();
}

// The kernel's own files say a size of one page and give fewer bytes, as a file does that is cut between the two.
TEST(ReadFile, FewerBytesThanItsSizeAreRefused) {
  const char* path = "/sys/devices/system/cpu/online";
  struct stat status{};
  if (::stat(path, &status) != 0 || status.st_size < 100) GTEST_SKIP() << path << " has no size here";
  try {
    format::Mapping::read(path);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code, "F060");
  }
}

TEST(ReadFile, EmptyDirectoryAndAbsentOnesAreTold) {
  const LiveFile file("empty");
  file.overwrite({});
  EXPECT_TRUE(format::Mapping::read(file.path).bytes().empty());
  for (const std::string& path : {::testing::TempDir(), file.path + ".absent"}) {
    try {
      format::Mapping::read(path);
      FAIL() << path;
    } catch (const Error& error) {
      EXPECT_EQ(error.code, "F001");
    }
  }
}

}  // namespace
}  // namespace potstill
