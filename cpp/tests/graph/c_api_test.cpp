#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>

#include "potstill/model.hpp"
#include "potstill/potstill.h"
#include "support/tiny_bert.h"

namespace {

using potstill::testing::TinyBert;
using potstill::testing::TinyShape;

class CApi : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = ::testing::TempDir() + "potstill_c_api_" + std::to_string(getpid()) + ".still";  // tests run side by side
    const auto bytes = TinyBert(TinyShape{.tokenizer = true}).file();
    std::ofstream(path_, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  void TearDown() override { std::remove(path_.c_str()); }
  std::string path_;
};

TEST_F(CApi, GivesTheNumbersOfTheCppApi) {
  potstill_error error;
  potstill_model* model = potstill_load(path_.c_str(), 1, &error);
  ASSERT_NE(model, nullptr) << error.line;
  ASSERT_EQ(potstill_label_count(model), 3u);
  EXPECT_STREQ(potstill_label(model, 2), "label 2");
  EXPECT_EQ(potstill_label(model, 3), nullptr);
  const potstill::Model same = potstill::Model::load(path_, 1);
  const potstill::Output wanted = same.run(same.tokenize({"a b c"}));
  float logits[3] = {}, embedding[24] = {};
  ASSERT_EQ(potstill_logits(model, "a b c", 0, logits, 3, &error), 3) << error.line;
  EXPECT_EQ(std::memcmp(logits, wanted.logits.data.data(), sizeof logits), 0);
  ASSERT_EQ(potstill_embedding_size(model), 24u);
  ASSERT_EQ(potstill_embed(model, "a b c", 0, embedding, 24, nullptr), 24);
  EXPECT_EQ(std::memcmp(embedding, wanted.embedding.data.data(), sizeof embedding), 0);
  const int32_t ids[] = {2, 4, 5, 6, 3};
  float again[3] = {};
  ASSERT_EQ(potstill_logits_from_ids(model, ids, 5, again, 3, &error), 3);
  EXPECT_EQ(std::memcmp(logits, again, sizeof logits), 0);
  potstill_free(model);
}

TEST_F(CApi, ReportsFailures) {
  potstill_error error;
  EXPECT_EQ(potstill_load("/no/such/file.still", 1, &error), nullptr);
  EXPECT_STREQ(error.code, "F001");
  EXPECT_EQ(std::strncmp(error.line, "error[F001]: ", 13), 0);
  EXPECT_EQ(potstill_load("/no/such/file.still", 1, nullptr), nullptr);
  EXPECT_EQ(potstill_load(path_.c_str(), 100000, &error), nullptr);
  EXPECT_STREQ(error.code, "I004");
  potstill_model* model = potstill_load(path_.c_str(), 1, &error);
  ASSERT_NE(model, nullptr);
  float out[3];
  EXPECT_EQ(potstill_logits(model, "", 0, out, 3, &error), -1);
  EXPECT_STREQ(error.code, "I001");
  EXPECT_EQ(potstill_logits(model, "a", 0, out, 2, &error), -1);
  EXPECT_STREQ(error.code, "I010");
  const std::string many(100, 'a');
  std::string letters;
  for (const char c : many) letters += std::string(1, c) + " ";
  EXPECT_EQ(potstill_logits(model, letters.c_str(), 0, out, 3, &error), -1);
  EXPECT_STREQ(error.code, "I002");
  EXPECT_EQ(potstill_logits(model, letters.c_str(), 1, out, 3, &error), 3);
  EXPECT_STREQ(error.code, "");
  potstill_free(model);
  potstill_free(nullptr);
}

}  // namespace
