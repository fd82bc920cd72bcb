// Damaged, cut and hostile files: always a numbered error or a model that runs, never anything else. Built with a
// sanitizer this is also the proof that no byte outside the file is read.
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "potstill/model.hpp"
#include "support/tiny_bert.h"

namespace potstill {
namespace {

using testing::Bytes;
using testing::TinyBert;
using testing::TinyShape;

const TinyShape kShape{.vocabulary = 34,
                       .hidden = 8,
                       .heads = 2,
                       .inner = 12,
                       .layers = 1,
                       .max_tokens = 8,
                       .quantized = true,
                       .tokenizer = true};

TinyShape int4_shape() {
  TinyShape shape = kShape;
  shape.int4 = true;
  return shape;
}

TEST(Damage, TheIntactFileLoads) {
  EXPECT_EQ(testing::load_error(TinyBert(kShape).file()), "");
  EXPECT_EQ(testing::load_error(TinyBert(int4_shape()).file()), "");
}

TEST(Damage, EveryTruncationIsFound) {
  const Bytes file = TinyBert(kShape).file();
  for (std::size_t size = 0; size < file.size(); size += size < 256 ? 1 : 64) {
    const std::string code = testing::load_error(Bytes(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size)));
    EXPECT_EQ(code, size < 64 ? "F002" : "F007") << size;
  }
  Bytes last(file.begin(), file.end() - 1);
  EXPECT_EQ(testing::load_error(last), "F007");
  Bytes longer = file;
  longer.push_back(std::byte{0});
  EXPECT_EQ(testing::load_error(longer), "F007");
}

TEST(Damage, EveryFlippedByteIsFound) {
  Bytes file = TinyBert(kShape).file();
  for (std::size_t i = 0; i < file.size(); ++i) {
    const std::byte before = file[i];
    file[i] ^= std::byte{static_cast<unsigned char>(1u << i % 8)};
    const std::string code = testing::load_error(file);
    EXPECT_TRUE(code == "F003" || code == "F005" || code == "F009" || code == "F020") << "byte " << i << ": " << code;
    file[i] = before;
  }
}

// Whatever loads must also run.
void load_and_run(const Bytes& file, int& loaded, int& refused) {
  try {
    const Model model = Model::from_memory(file, 1);
    ++loaded;
    const int32_t last = static_cast<int32_t>(model.info().vocabulary) - 1;
    const std::vector<std::vector<int32_t>> batch{{0}, {last, 0, last}};
    model.run(batch);
    if (model.info().has_tokenizer) model.tokenize({"a zebra, [MASK] \xc3\xa9\xff!"}, true);
  } catch (const Error& error) {
    EXPECT_EQ(error.code.size(), 4u) << error.what();
    ++refused;
  }
}

void attack_headers(const TinyShape& shape) {
  const Bytes good = TinyBert(shape).file();
  uint64_t header = 0;
  std::memcpy(&header, good.data() + 16, sizeof header);
  std::mt19937_64 engine(20);
  int loaded = 0, refused = 0;
  for (int round = 0; round < 4000; ++round) {
    Bytes file = good;
    for (std::size_t change = 0; change <= engine() % 3; ++change) {
      const std::size_t at = static_cast<std::size_t>(64 + engine() % header);
      switch (engine() % 4) {
        case 0:
          file[at] = static_cast<std::byte>(engine());
          break;
        case 1:
          file[at] ^= static_cast<std::byte>(1u << engine() % 8);
          break;
        case 2:
          file[at] = std::byte{0xff};
          break;
        default: {  // a whole 32-bit field: small, negative or huge
          const uint32_t values[] = {0,          1,          2,          3,
                                     0x7fffffff, 0x80000000, 0xffffffff, static_cast<uint32_t>(engine() % 64)};
          const std::size_t aligned = at / 4 * 4;
          if (aligned + 4 <= file.size()) std::memcpy(file.data() + aligned, &values[engine() % 8], 4);
        }
      }
    }
    testing::fix_checksums(file);
    load_and_run(file, loaded, refused);
  }
  EXPECT_GT(loaded, 100);  // names, eps, flags of the tokenizer: not every change is an error
  EXPECT_GT(refused, 1000);
}

TEST(Damage, HeadersChangedByAnAttackerNeverBreakTheLoader) { attack_headers(kShape); }
TEST(Damage, Int4HeadersChangedByAnAttackerNeverBreakTheLoader) { attack_headers(int4_shape()); }

void attack_sections(const TinyShape& shape) {
  const TinyBert tiny(shape);
  std::mt19937_64 engine(21);
  int loaded = 0, refused = 0;
  for (int round = 0; round < 1000; ++round) {
    testing::StillBuilder spoilt;
    const Bytes bytes = tiny.file();
    spoilt.model = *std::unique_ptr<fb::ModelT>(fb::GetModel(bytes.data() + 64)->UnPack());
    spoilt.sections = tiny.builder.sections;
    Bytes& section = spoilt.sections[static_cast<std::size_t>(engine() % spoilt.sections.size())];
    for (std::size_t change = 0; change < 1 + engine() % 4; ++change) {
      section[static_cast<std::size_t>(engine() % section.size())] = static_cast<std::byte>(engine());
    }
    load_and_run(spoilt.file(), loaded, refused);
  }
  EXPECT_GT(loaded, 100);
  EXPECT_GT(refused, 50);
}

TEST(Damage, SectionsChangedByAnAttackerNeverBreakTheRun) { attack_sections(kShape); }
TEST(Damage, Int4SectionsChangedByAnAttackerNeverBreakTheRun) { attack_sections(int4_shape()); }

TEST(Damage, RandomBytesAreNotAModel) {
  std::mt19937_64 engine(22);
  for (int round = 0; round < 200; ++round) {
    Bytes file(static_cast<std::size_t>(engine() % 2000));
    for (std::byte& byte : file) byte = static_cast<std::byte>(engine());
    EXPECT_EQ(testing::load_error(file), file.size() < 64 ? "F002" : "F003");
  }
}

}  // namespace
}  // namespace potstill
