// Sections longer than the slice that the checks go by, in a mapped file: nothing is missed at a slice's ends, and
// giving pages back changes nothing.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <limits>

#include "potstill/model.hpp"
#include "support/tiny_bert.h"

namespace potstill {
namespace {

using testing::Bytes;
using testing::TinyBert;
using testing::TinyShape;

constexpr std::size_t kSlice = std::size_t{256} << 10;

// Word tables of 645 KB in int8 and 2.6 MB in f32: more than two slices, and no whole number of them or of pages.
TinyShape shape(bool quantized) {
  return {.vocabulary = 20170, .hidden = 32, .heads = 2, .inner = 16, .layers = 1, .quantized = quantized};
}

struct SavedFile {
  std::string path = ::testing::TempDir() + "potstill_slices_" + std::to_string(getpid()) + ".still";
  explicit SavedFile(const Bytes& bytes) { write(bytes); }
  ~SavedFile() { std::remove(path.c_str()); }
  void write(const Bytes& bytes, std::size_t offset = 0) const {  // in place when there is an offset
    std::fstream out(path,
                     offset == 0 ? std::ios::binary | std::ios::out : std::ios::binary | std::ios::in | std::ios::out);
    out.seekp(static_cast<std::streamoff>(offset));
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  std::string error(bool mapped) const {
    try {
      Model::load(path, 1, mapped);
      return "";
    } catch (const Error& error) {
      return error.code;
    }
  }
};

std::size_t index_of(const TinyBert& tiny, const char* name) {
  const auto& tensors = tiny.builder.model.tensors;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i]->name == name) return i;
  }
  throw std::runtime_error(name);
}

// Where a section begins: the sections are the end of the file, padded to 64.
std::size_t begin_of(const TinyBert& tiny, std::size_t index, std::size_t file) {
  for (std::size_t i = tiny.builder.sections.size(); i-- > index;)
    file -= (tiny.builder.sections[i].size() + 63) / 64 * 64;
  return file;
}

TEST(Slices, AMappedFileGivesTheBitsOfAReadAndOfACopiedOne) {
  for (const bool quantized : {false, true}) {
    const Bytes bytes = TinyBert(shape(quantized)).file();
    const SavedFile saved(bytes);
    const Model mapped = Model::load(saved.path, 1, true), read = Model::load(saved.path, 1);
    const Model copied = Model::from_memory(bytes, 1);
    const std::vector<std::vector<int32_t>> batch{{0, 20169, 8191, 8192, 8193}, {2048, 10000, 4097, 16383}};
    const Output a = mapped.run(batch), b = copied.run(batch), c = read.run(batch);
    ASSERT_EQ(a.logits.data.size(), b.logits.data.size());
    ASSERT_EQ(c.logits.data.size(), b.logits.data.size());
    EXPECT_EQ(std::memcmp(a.logits.data.data(), b.logits.data.data(), a.logits.data.size() * 4), 0);
    EXPECT_EQ(std::memcmp(c.logits.data.data(), b.logits.data.data(), c.logits.data.size() * 4), 0);
  }
}

TEST(Slices, AFlippedByteIsFoundWhereSlicesMeet) {
  const TinyBert tiny(shape(true));
  Bytes bytes = tiny.file();
  const std::size_t word = index_of(tiny, "word"), size = tiny.builder.sections[word].size();
  const std::size_t begin = begin_of(tiny, word, bytes.size());
  ASSERT_GT(size, 2 * kSlice);
  const SavedFile saved(bytes);
  for (const bool mapped : {false, true}) EXPECT_EQ(saved.error(mapped), "");
  for (const std::size_t at : {std::size_t{0}, kSlice - 1, kSlice, 2 * kSlice - 1, 2 * kSlice, size - 1}) {
    bytes[begin + at] ^= std::byte{4};
    saved.write(bytes);
    for (const bool mapped : {false, true}) EXPECT_EQ(saved.error(mapped), "F020") << at;
    bytes[begin + at] ^= std::byte{4};
  }
}

TEST(Slices, AnInfinityIsFoundInEverySlice) {
  for (const std::size_t at : {std::size_t{0}, kSlice - 4, kSlice, 3 * kSlice, std::size_t{20170 * 32 - 1} * 4}) {
    TinyBert tiny(shape(false));
    const float infinity = std::numeric_limits<float>::infinity();
    std::memcpy(tiny.builder.sections[index_of(tiny, "word")].data() + at, &infinity, 4);
    EXPECT_EQ(testing::load_error(tiny.file()), "F046") << at;
  }
}

// Pages that were given back are read again: an embedding overwritten in place gives other numbers, never a crash.
TEST(Slices, AnEmbeddingOverwrittenInPlaceOnlyChangesNumbers) {
  const TinyBert tiny(shape(true));
  const Bytes bytes = tiny.file();
  const std::size_t word = index_of(tiny, "word");
  const SavedFile saved(bytes);
  const Model model = Model::load(saved.path, 1, true);
  saved.write(Bytes(tiny.builder.sections[word].size(), std::byte{0x80}), begin_of(tiny, word, bytes.size()));
  const std::vector<std::vector<int32_t>> batch{{0, 20169, 8191, 8192}};
  EXPECT_EQ(model.run(batch).logits.columns, 3u);
}

}  // namespace
}  // namespace potstill
