// Runs that have no right answer: numbers that overflow, padding, ids that stand for no text; and models that score.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "potstill/model.hpp"
#include "potstill/potstill.h"
#include "support/tiny_bert.h"

namespace potstill {
namespace {

using testing::Bytes;
using testing::load_error;
using testing::TinyBert;
using testing::TinyShape;

// Codes and places of what a run throws; empty when it answers.
std::string refusal(const Model& model, const std::vector<std::vector<int32_t>>& batch) {
  try {
    model.run(batch);
    return "";
  } catch (const Error& error) {
    return error.code + " " + error.where;
  }
}

// Weights of a product near the largest float overflow, by sign or by difference.
void spoil(TinyBert& tiny, const std::string& op) {
  for (const auto& made : tiny.builder.model.ops) {
    if (made->name != op) continue;
    Bytes& weights = tiny.builder.sections[static_cast<std::size_t>(made->body.AsLinear()->weight_t)];
    for (std::size_t i = 0; i < weights.size(); i += 4) {
      float value = 0;
      std::memcpy(&value, weights.data() + i, 4);
      value = value > 0 ? 3e38f : (value < 0 ? -3e38f : 0.f);
      std::memcpy(weights.data() + i, &value, 4);
    }
  }
}

TEST(Overflow, IsAnErrorOfEveryHead) {
  TinyBert head(TinyShape{.layers = 1});
  spoil(head, "head");
  EXPECT_EQ(refusal(Model::from_memory(head.file(), 1), {{5, 6, 7}}), "F062 sequence 0");
  TinyBert tagger(TinyShape{.layers = 1, .per_token = true});
  spoil(tagger, "head");
  EXPECT_EQ(refusal(Model::from_memory(tagger.file(), 1), {{5, 6, 7}, {8}}).substr(0, 4), "F062");
  TinyBert pooled(TinyShape{.layers = 1});
  pooled.builder.model.heads.erase(pooled.builder.model.heads.begin());  // the embedding alone
  spoil(pooled, "layer0.down");
  const std::string found = refusal(Model::from_memory(pooled.file(), 1), {{5, 6, 7}});
  EXPECT_TRUE(found.empty() || found == "F062 sequence 0") << found;  // a layer norm may tame it
}

// Only the text that overflows is named, in whatever chunk it stands.
TEST(Overflow, NamesTheSequence) {
  TinyBert tiny(TinyShape{});
  ASSERT_EQ(tiny.builder.model.tensors[0]->name, "word");
  for (std::size_t i = 0; i < 24; ++i) {  // the row's mean is infinite
    const float huge = 3e38f;
    std::memcpy(tiny.builder.sections[0].data() + (std::size_t{9} * 24 + i) * 4, &huge, 4);
  }
  const Model model = Model::from_memory(tiny.file(), 1);
  EXPECT_EQ(refusal(model, {{5}, {6, 7}}), "");
  EXPECT_EQ(refusal(model, {{5}, {6, 9}, {7}}), "F062 sequence 1");
  std::vector<std::vector<int32_t>> batch(40, std::vector<int32_t>(20, 5));  // several chunks
  batch[37][3] = 9;
  EXPECT_EQ(refusal(model, batch), "F062 sequence 37");
  TinyBert tagger(TinyShape{.per_token = true});
  tagger.builder.sections[0] = tiny.builder.sections[0];
  EXPECT_EQ(refusal(Model::from_memory(tagger.file(), 1), batch), "F062 sequence 37");
}

TEST(Padding, IsRefusedWhereTheTokenizerSaysWhatItIs) {
  const TinyShape shape{.max_tokens = 8, .tokenizer = true};
  const Model model = Model::from_memory(TinyBert(shape).file(), 1);
  EXPECT_EQ(refusal(model, {{2, 5, 3}}), "");
  EXPECT_EQ(refusal(model, {{2, 5, 3}, {2, 5, 3, 0}}), "I103 sequence 1");
  EXPECT_EQ(refusal(model, {{2, 5, 3, 0, 0, 0, 0, 0}}), "I103 sequence 0");
  EXPECT_EQ(refusal(model, {{0, 0, 2, 5, 3}}), "I103 sequence 0");
  EXPECT_EQ(refusal(model, {{0}}), "I103 sequence 0");
  EXPECT_EQ(refusal(model, {{2, 0, 5, 3}}), "");  // "[PAD]" in a text
  for (const auto& ids : model.tokenize({"a", "[PAD]", "a [PAD]", "[PAD] a"})) EXPECT_EQ(refusal(model, {ids}), "");
  TinyShape bare = shape;
  bare.tokenizer = false;  // nothing says what id 0 is
  EXPECT_EQ(refusal(Model::from_memory(TinyBert(bare).file(), 1), {{2, 5, 3, 0}}), "");
}

// A tokenizer that fills with [SEP] ends each of its texts so.
TEST(Padding, ThatEndsEveryTextCannotBeTold) {
  TinyBert tiny(TinyShape{.tokenizer = true});
  tiny.builder.model.tokenizer->pad_id = 3;
  const Model model = Model::from_memory(tiny.file(), 1);
  EXPECT_EQ(refusal(model, model.tokenize({"a b"})), "");
}

TEST(ForbiddenIds, AreRefusedWhereverTheyStand) {
  TinyBert tiny(TinyShape{});
  tiny.builder.model.input.AsTokenIds()->forbidden_ids = {0, 17, 49};
  const Model model = Model::from_memory(tiny.file(), 1);
  EXPECT_EQ(model.info().forbidden_ids, (std::vector<uint32_t>{0, 17, 49}));
  EXPECT_EQ(refusal(model, {{2, 16, 18, 48}}), "");
  EXPECT_EQ(refusal(model, {{2, 5}, {2, 16, 17}}), "I104 sequence 1, position 2");
  EXPECT_EQ(refusal(model, {{49}}), "I104 sequence 0, position 0");
  EXPECT_EQ(refusal(model, {{2, 0, 3}}), "I104 sequence 0, position 1");
}

TEST(ForbiddenIds, MustAscendInsideTheVocabulary) {
  const auto code = [](std::vector<uint32_t> ids) {
    TinyBert tiny(TinyShape{});
    tiny.builder.model.input.AsTokenIds()->forbidden_ids = std::move(ids);
    return load_error(tiny.file());
  };
  EXPECT_EQ(code({}), "");
  EXPECT_EQ(code({49}), "");
  EXPECT_EQ(code({50}), "F064");
  EXPECT_EQ(code({3, 3}), "F064");
  EXPECT_EQ(code({4, 3}), "F064");
  EXPECT_EQ(code({0xffffffffu}), "F064");
}

TinyBert scoring(fb::ScoreKind kind, uint32_t types = 0) {
  TinyBert tiny(TinyShape{.labels = 1, .types = types, .tokenizer = true});
  tiny.builder.model.heads[0]->body.AsScore()->kind = kind;
  return tiny;
}

TEST(Scores, AreTheLogitOrItsSigmoid) {
  const Model raw = Model::from_memory(scoring(fb::ScoreKind::Raw).file(), 1);
  const Model smooth = Model::from_memory(scoring(fb::ScoreKind::Sigmoid).file(), 1);
  EXPECT_EQ(raw.info().score, Score::Raw);
  EXPECT_EQ(smooth.info().score, Score::Sigmoid);
  const Output out = raw.run(raw.tokenize({"a b", "c", "d e f"}));
  const std::vector<double> scores = raw.scores(out.logits), squeezed = smooth.scores(out.logits);
  ASSERT_EQ(scores.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(scores[i], double{out.logits.data[i]});
    EXPECT_NEAR(squeezed[i], 1 / (1 + std::exp(-scores[i])), 1e-15);
  }
}

// Of several labels, one is a class.
TEST(Scores, AreOfModelsWithOneLogitAlone) {
  TinyBert labels = scoring(fb::ScoreKind::Raw);
  labels.builder.model.heads[0]->body.Set(fb::MultiLabelT{});
  EXPECT_EQ(Model::from_memory(labels.file(), 1).info().score, Score::None);
  labels.builder.model.heads[0]->body.Set(fb::ClassesT{});
  EXPECT_EQ(load_error(labels.file()), "F068");
  EXPECT_EQ(load_error(scoring(static_cast<fb::ScoreKind>(3)).file()), "F063");
  TinyBert classes(TinyShape{});
  const Model model = Model::from_memory(classes.file(), 1);
  const Output out = model.run(std::vector<std::vector<int32_t>>{{5}});
  EXPECT_EQ(model.scores(out.logits).size(), out.logits.columns);
  EXPECT_THROW(model.scores(Matrix{1, 1, {0.f}}), Error);  // of another model
  classes.builder.model.heads[0]->body.Set(fb::ScoreT{});
  EXPECT_EQ(load_error(classes.file()), "F063");
}

TEST(Scores, OfTheCApi) {
  const Bytes file = scoring(fb::ScoreKind::Sigmoid, 2).file();
  potstill_error error;
  potstill_model* model = potstill_load_memory(file.data(), file.size(), 1, &error);
  ASSERT_NE(model, nullptr) << error.line;
  EXPECT_EQ(potstill_score_kind(model), 2);
  const Model same = Model::from_memory(file, 1);
  double one = 0, pair = 0;
  ASSERT_EQ(potstill_score(model, "a b", 0, &one, &error), 1) << error.line;
  EXPECT_EQ(one, same.scores(same.run(same.tokenize({"a b"})).logits).front());
  ASSERT_EQ(potstill_score_pair(model, "a", "b", 0, &pair, &error), 1) << error.line;
  const std::pair<std::string_view, std::string_view> texts("a", "b");
  EXPECT_EQ(pair, same.scores(same.run(same.tokenize_pairs(std::span(&texts, 1))).logits).front());
  EXPECT_EQ(potstill_score(model, "", 0, &one, &error), -1);
  EXPECT_STREQ(error.code, "I001");
  EXPECT_EQ(potstill_score(model, "a", 0, nullptr, &error), -1);
  EXPECT_STREQ(error.code, "I012");
  potstill_free(model);
  const Bytes other = TinyBert(TinyShape{.tokenizer = true}).file();
  model = potstill_load_memory(other.data(), other.size(), 1, &error);
  EXPECT_EQ(potstill_score_kind(model), 0);
  EXPECT_EQ(potstill_score(model, "a", 0, &one, &error), -1);
  EXPECT_STREQ(error.code, "I105");
  potstill_free(model);
}

}  // namespace
}  // namespace potstill
