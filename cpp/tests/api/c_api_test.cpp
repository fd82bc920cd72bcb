#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "potstill/model.hpp"
#include "potstill/potstill.h"
#include "support/c_caller.h"
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
  float vector[24] = {};
  ASSERT_EQ(potstill_embed_from_ids(model, ids, 5, vector, 24, &error), 24);
  EXPECT_EQ(std::memcmp(embedding, vector, sizeof embedding), 0);
  int32_t found[12] = {};
  ASSERT_EQ(potstill_tokenize(model, "a b c", 0, found, 12, &error), 5);
  EXPECT_EQ(std::memcmp(found, ids, sizeof ids), 0);
  int32_t places[12] = {};
  ASSERT_EQ(potstill_offsets(model, "a b c", 0, places, 12, &error), 10) << error.line;
  const int32_t expected[] = {0, 0, 0, 1, 2, 3, 4, 5, 0, 0};
  EXPECT_EQ(std::memcmp(places, expected, sizeof expected), 0);
  EXPECT_EQ(potstill_offsets(model, "a b c", 0, places, 9, &error), -1);
  EXPECT_STREQ(error.code, "I019");
  EXPECT_EQ(potstill_logits_size(model), 3u);
  EXPECT_EQ(potstill_max_tokens(model), same.info().max_tokens);
  EXPECT_STREQ(potstill_kernel_set(model), same.info().isa.c_str());
  potstill_free(model);
}

TEST_F(CApi, LoadsFromMemory) {
  const auto bytes = TinyBert(TinyShape{.tokenizer = true}).file();
  potstill_error error;
  potstill_model* model = potstill_load_memory(bytes.data(), bytes.size(), 1, &error);
  ASSERT_NE(model, nullptr) << error.line;
  potstill_model* mapped = potstill_load_mapped(path_.c_str(), 1, &error);
  ASSERT_NE(mapped, nullptr) << error.line;
  float a[3], b[3];
  ASSERT_EQ(potstill_logits(model, "a b", 0, a, 3, &error), 3);
  ASSERT_EQ(potstill_logits(mapped, "a b", 0, b, 3, &error), 3);
  EXPECT_EQ(std::memcmp(a, b, sizeof a), 0);
  potstill_free(model);
  potstill_free(mapped);
  EXPECT_EQ(potstill_load_memory(bytes.data(), bytes.size() / 2, 1, &error), nullptr);
  EXPECT_EQ(error.code[0], 'F');
  EXPECT_EQ(potstill_load_mapped("/no/such.still", 1, &error), nullptr);
  EXPECT_STREQ(error.code, "F001");
}

// A tagger gives the logits of every token, specials included.
TEST(CApiTagger, GivesLogitsOfTokens) {
  const auto file = TinyBert(TinyShape{.per_token = true, .tokenizer = true}).file();
  potstill_error error;
  potstill_model* model = potstill_load_memory(file.data(), file.size(), 1, &error);
  ASSERT_NE(model, nullptr) << error.line;
  EXPECT_EQ(potstill_per_token(model), 1);
  EXPECT_EQ(potstill_logits_size(model), 3u);
  EXPECT_EQ(potstill_embedding_size(model), 0u);
  float out[15] = {};
  EXPECT_EQ(potstill_logits(model, "a b c", 0, out, 15, &error), 15) << error.line;
  EXPECT_EQ(potstill_logits(model, "a b c", 0, out, 14, &error), -1);
  EXPECT_STREQ(error.code, "I019");
  EXPECT_EQ(potstill_embed(model, "a b c", 0, out, 15, &error), -1);
  EXPECT_STREQ(error.code, "I009");
  potstill_word words[3];
  ASSERT_EQ(potstill_tag(model, "ab, c", 0, words, 3, &error), 3) << error.line;
  EXPECT_EQ(words[0].end, 2u);
  EXPECT_EQ(words[1].begin, 2u);
  EXPECT_EQ(words[2].begin, 4u);
  EXPECT_EQ(words[2].end, 5u);
  EXPECT_LT(words[2].label, 3u);
  EXPECT_GT(words[2].score, 1.0 / 3);
  EXPECT_EQ(potstill_tag(model, "ab, c", 0, words, 2, &error), -1);
  EXPECT_STREQ(error.code, "I019");
  EXPECT_EQ(potstill_tag(model, nullptr, 0, words, 3, &error), -1);
  EXPECT_STREQ(error.code, "I012");
  potstill_free(model);
}

// Without label names the number of logits is still told.
TEST_F(CApi, LogitsWithoutLabelNames) {
  potstill_error error;
  TinyBert bert(TinyShape{.tokenizer = true});
  bert.builder.model.heads[0]->labels.clear();
  const auto bytes = bert.file();
  potstill_model* model = potstill_load_memory(bytes.data(), bytes.size(), 1, &error);
  ASSERT_NE(model, nullptr) << error.line;
  EXPECT_EQ(potstill_label_count(model), 0u);
  EXPECT_EQ(potstill_label(model, 0), nullptr);
  EXPECT_EQ(potstill_logits_size(model), 3u);
  potstill_free(model);
}

TEST_F(CApi, TellsWhetherLabelsExcludeEachOther) {
  TinyBert bert(TinyShape{.tokenizer = true});
  bert.builder.model.heads[0]->body.Set(potstill::fb::MultiLabelT{});
  const auto bytes = bert.file();
  potstill_error error;
  potstill_model* several = potstill_load_memory(bytes.data(), bytes.size(), 1, &error);
  ASSERT_NE(several, nullptr) << error.line;
  potstill_model* one = potstill_load(path_.c_str(), 1, &error);
  EXPECT_EQ(potstill_multi_label(several), 1);
  EXPECT_EQ(potstill_multi_label(one), 0);
  float a[3], b[3];
  ASSERT_EQ(potstill_logits(several, "a b", 0, a, 3, &error), 3);
  ASSERT_EQ(potstill_logits(one, "a b", 0, b, 3, &error), 3);
  EXPECT_EQ(std::memcmp(a, b, sizeof a), 0);
  potstill_free(several);
  potstill_free(one);
}

TEST_F(CApi, ClassifiesPairs) {
  const auto bytes = TinyBert(TinyShape{.types = 2, .tokenizer = true}).file();
  potstill_error error;
  potstill_model* pairs = potstill_load_memory(bytes.data(), bytes.size(), 1, &error);
  ASSERT_NE(pairs, nullptr) << error.line;
  potstill_model* one = potstill_load(path_.c_str(), 1, &error);
  EXPECT_EQ(potstill_pairs(pairs), 1);
  EXPECT_EQ(potstill_pairs(one), 0);
  float logits[3] = {};
  ASSERT_EQ(potstill_logits_pair(pairs, "a b", "c", 0, logits, 3, &error), 3) << error.line;
  const potstill::Model same = potstill::Model::from_memory(std::as_bytes(std::span(bytes)), 1);
  const std::pair<std::string_view, std::string_view> texts("a b", "c");
  const potstill::Output wanted = same.run(same.tokenize_pairs(std::span(&texts, 1)));
  EXPECT_EQ(std::memcmp(logits, wanted.logits.data.data(), sizeof logits), 0);
  EXPECT_EQ(potstill_logits_pair(one, "a b", "c", 0, logits, 3, &error), -1);
  EXPECT_STREQ(error.code, "I014");
  EXPECT_EQ(potstill_logits_pair(pairs, "a b", nullptr, 0, logits, 3, &error), -1);
  EXPECT_STREQ(error.code, "I012");
  potstill_free(pairs);
  potstill_free(one);
}

TEST(CApiVersion, HeaderAndLibraryAgree) {
  char text[32];
  std::snprintf(text, sizeof text, "%d.%d.%d", POTSTILL_VERSION_MAJOR, POTSTILL_VERSION_MINOR, POTSTILL_VERSION_PATCH);
  EXPECT_STREQ(potstill_version(), text);
  EXPECT_EQ(c_caller_version(), POTSTILL_VERSION_NUMBER);
}

TEST_F(CApi, FromC) {
  char label[32];
  float logit = 0;
  ASSERT_EQ(c_caller_classify(path_.c_str(), "a b c", label, sizeof label, &logit), 0);
  const potstill::Model same = potstill::Model::load(path_, 1);
  const auto logits = same.run(same.tokenize({"a b c"})).logits.data;
  const auto best = std::max_element(logits.begin(), logits.end());
  EXPECT_EQ(label, same.info().labels[static_cast<std::size_t>(best - logits.begin())]);
  EXPECT_EQ(logit, *best);
  EXPECT_EQ(c_caller_classify("/no/such/file.still", "a", label, sizeof label, &logit), 1);
  EXPECT_STREQ(label, "F001");
}

TEST_F(CApi, NullPointersAreRefused) {
  potstill_error error;
  float out[3];
  EXPECT_EQ(potstill_load(nullptr, 1, &error), nullptr);
  EXPECT_STREQ(error.code, "I012");
  EXPECT_EQ(potstill_load_memory(nullptr, 8, 1, &error), nullptr);
  EXPECT_STREQ(error.code, "I012");
  EXPECT_EQ(potstill_logits(nullptr, "a", 0, out, 3, &error), -1);
  EXPECT_STREQ(error.code, "I012");
  potstill_model* model = potstill_load(path_.c_str(), 1, &error);
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(potstill_logits(model, nullptr, 0, out, 3, &error), -1);
  EXPECT_STREQ(error.code, "I012");
  EXPECT_EQ(potstill_logits(model, "a", 0, nullptr, 3, &error), -1);
  EXPECT_STREQ(error.code, "I012");
  EXPECT_EQ(potstill_logits_from_ids(model, nullptr, 1, out, 3, &error), -1);
  EXPECT_STREQ(error.code, "I012");
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
  EXPECT_STREQ(error.code, "I019");
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
