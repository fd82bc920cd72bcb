// Whole models through the public API: right numbers, and the same bits however they are run.
#include "potstill/model.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>

#include "graph/graph.h"
#include "support/emulated.h"
#include "support/tiny_bert.h"

namespace potstill {
namespace {

using testing::TinyBert;
using testing::TinyShape;

std::vector<int32_t> random_ids(std::mt19937_64& engine, std::size_t count, uint32_t vocabulary) {
  std::vector<int32_t> ids(count);
  for (int32_t& id : ids) id = static_cast<int32_t>(engine() % vocabulary);
  return ids;
}

std::vector<std::vector<int32_t>> random_batch(uint64_t seed, std::size_t sequences, const TinyShape& shape) {
  std::mt19937_64 engine(seed);
  std::vector<std::vector<int32_t>> batch;
  for (std::size_t i = 0; i < sequences; ++i) {
    batch.push_back(random_ids(engine, static_cast<std::size_t>(1 + engine() % shape.max_tokens), shape.vocabulary));
  }
  return batch;
}

::testing::AssertionResult same_bits(const Matrix& a, const Matrix& b) {
  if (a.rows != b.rows || a.columns != b.columns) return ::testing::AssertionFailure() << "shapes differ";
  for (std::size_t i = 0; i < a.data.size(); ++i) {
    if (std::memcmp(&a.data[i], &b.data[i], sizeof(float)) != 0) {
      return ::testing::AssertionFailure() << "element " << i << ": " << a.data[i] << " and " << b.data[i];
    }
  }
  return ::testing::AssertionSuccess();
}

void expect_near(std::span<const float> found, std::span<const double> wanted, double tolerance) {
  ASSERT_EQ(found.size(), wanted.size());
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(double{found[i]}, wanted[i], tolerance) << "element " << i;
}

std::string error_of(const auto& body) {
  try {
    body();
    return "";
  } catch (const Error& error) {
    return error.code;
  }
}

class Models : public ::testing::TestWithParam<TinyShape> {};

TEST_P(Models, AgreeWithPlainBinary64) {
  const TinyShape shape = GetParam();
  const TinyBert tiny(shape);
  const Model model = Model::from_memory(tiny.file(), 2);
  const auto batch = random_batch(7, 12, shape);
  const Output out = model.run(batch);
  ASSERT_EQ(out.logits.rows, batch.size());
  ASSERT_EQ(out.logits.columns, shape.labels);
  ASSERT_EQ(out.embedding.columns, shape.hidden);
  // int8: rounding ties may fall the other way in binary64, one step of one activation each.
  const double tolerance = shape.quantized ? 2e-2 : 2e-5;
  for (std::size_t s = 0; s < batch.size(); ++s) {
    const auto wanted = tiny.evaluate(batch[s]);
    expect_near(std::span(out.logits.data).subspan(s * shape.labels, shape.labels), wanted.logits, tolerance);
    expect_near(std::span(out.embedding.data).subspan(s * shape.hidden, shape.hidden), wanted.embedding, tolerance);
  }
}

// Token types: the second text of a pair stands apart; batches, chunks and threads change no bit.
TEST_P(Models, TellTokenTypesApart) {
  TinyShape shape = GetParam();
  shape.types = 2;
  const TinyBert tiny(shape);
  const Model model = Model::from_memory(tiny.file(), 2), alone = Model::from_memory(tiny.file(), 1);
  EXPECT_TRUE(model.info().pairs);
  std::vector<Tokens> batch;
  for (auto& ids : random_batch(11, 40, shape)) {
    std::vector<int32_t> types(ids.size(), 0);
    std::fill(types.begin() + static_cast<std::ptrdiff_t>(ids.size() / 2), types.end(), 1);
    batch.push_back({std::move(ids), std::move(types)});
  }
  const Output out = model.run(batch);
  const double tolerance = shape.quantized ? 2e-2 : 2e-5;
  for (std::size_t s = 0; s < batch.size(); ++s) {
    const auto wanted = tiny.evaluate(batch[s].ids, batch[s].types);
    const auto found = std::span(out.logits.data).subspan(s * shape.labels, shape.labels);
    expect_near(found, wanted.logits, tolerance);
    const Output single = alone.run(std::span(&batch[s], 1));
    EXPECT_EQ(std::memcmp(single.logits.data.data(), found.data(), found.size_bytes()), 0);
  }
  // No types given: all 0.
  const std::vector<int32_t> ids{2, 5, 6, 3};
  const Tokens zeros{ids, {0, 0, 0, 0}};
  EXPECT_TRUE(same_bits(model.run(std::span(&ids, 1)).logits, model.run(std::span(&zeros, 1)).logits));
}

// A sentence encoder of unit vectors: right numbers, alone and in any batch; a model without says so.
TEST_P(Models, GiveUnitVectors) {
  TinyShape shape = GetParam();
  EXPECT_FALSE(Model::from_memory(TinyBert(shape).file(), 1).info().normalized);
  shape.normalized = true;
  const TinyBert tiny(shape);
  const Model model = Model::from_memory(tiny.file(), 2), alone = Model::from_memory(tiny.file(), 1);
  EXPECT_TRUE(model.info().normalized);
  EXPECT_EQ(model.info().logits, 0u);
  const auto batch = random_batch(13, 40, shape);
  const Output out = model.run(batch);
  ASSERT_EQ(out.embedding.columns, shape.hidden);
  const double tolerance = shape.quantized ? 2e-2 : 2e-6;
  for (std::size_t s = 0; s < batch.size(); ++s) {
    const auto found = std::span(out.embedding.data).subspan(s * shape.hidden, shape.hidden);
    expect_near(found, tiny.evaluate(batch[s]).embedding, tolerance);
    double squares = 0;
    for (const float x : found) squares += double{x} * double{x};
    EXPECT_NEAR(squares, 1, 1e-6);
    EXPECT_EQ(std::memcmp(alone.run(std::span(&batch[s], 1)).embedding.data.data(), found.data(), found.size_bytes()),
              0);
  }
}

// A tagger: one row of logits a token; batches, chunks and threads change no bit.
TEST_P(Models, LabelTokens) {
  TinyShape shape = GetParam();
  shape.cls = false;
  shape.per_token = true;
  shape.labels = std::max(shape.labels, 2u);  // one label of a word tells nothing
  const TinyBert tiny(shape);
  const Model model = Model::from_memory(tiny.file(), 2), alone = Model::from_memory(tiny.file(), 1);
  EXPECT_TRUE(model.info().per_token);
  EXPECT_EQ(model.info().hidden, 0u);
  const auto batch = random_batch(17, 40, shape);  // several chunks
  const Output out = model.run(batch);
  ASSERT_EQ(out.logits.columns, shape.labels);
  const double tolerance = shape.quantized ? 2e-2 : 2e-5;
  std::size_t token = 0;
  for (const auto& ids : batch) {
    const auto found = std::span(out.logits.data).subspan(token * shape.labels, ids.size() * shape.labels);
    expect_near(found, tiny.evaluate(ids).logits, tolerance);
    const Output single = alone.run(std::span(&ids, 1));
    ASSERT_EQ(single.logits.rows, ids.size());
    EXPECT_EQ(std::memcmp(single.logits.data.data(), found.data(), found.size_bytes()), 0);
    token += ids.size();
  }
  EXPECT_EQ(out.logits.rows, token);
}

TEST(Words, AreReadPieceByPiece) {
  const Model model = Model::from_memory(TinyBert(TinyShape{.per_token = true, .tokenizer = true}).file(), 1);
  // [CLS] a ##b | c | [UNK] | d [SEP]: a control character alone is a word all the same.
  const std::vector<std::string_view> words{"ab", "c", "\x01", "d"};
  const Words read = model.tokenize_words(std::span(&words, 1)).front();
  const std::vector<int32_t> whole = model.tokenize({"ab c d"}).front();
  ASSERT_EQ(read.ids.size(), whole.size() + 1);
  EXPECT_EQ(read.firsts, (std::vector<int32_t>{1, 3, 4, 5}));
  EXPECT_EQ(read.ids[4], 1);
  EXPECT_EQ(read.ids.front(), whole.front());
  EXPECT_EQ(read.ids.back(), whole.back());
  const std::vector<std::string_view> none, many(30, "ab");
  EXPECT_EQ(error_of([&] { (void)model.tokenize_words(std::span(&none, 1)); }), "I001");
  EXPECT_EQ(error_of([&] { (void)model.tokenize_words(std::span(&many, 1)); }), "I002");
  // 20 tokens: [CLS], nine words of two pieces and [SEP]; no word is left whose first piece went.
  const Words cut = model.tokenize_words(std::span(&many, 1), true).front();
  EXPECT_EQ(cut.ids.size(), 20u);
  EXPECT_EQ(cut.ids.back(), whole.back());
  EXPECT_EQ(cut.firsts, (std::vector<int32_t>{1, 3, 5, 7, 9, 11, 13, 15, 17}));
  const Model without = Model::from_memory(TinyBert(TinyShape{.per_token = true}).file(), 1);
  EXPECT_EQ(error_of([&] { (void)without.tokenize_words(std::span(&words, 1)); }), "I005");
}

// A tagger of these units.
TinyBert tagger_of(fb::Units units) {
  TinyBert tiny(TinyShape{.per_token = true, .tokenizer = true});
  tiny.builder.model.heads[0]->body.AsTags()->units = units;
  return tiny;
}

TEST(Tag, LabelsTheWordsOfAText) {
  const Model model = Model::from_memory(tagger_of(fb::Units::Words).file(), 1);
  EXPECT_EQ(model.info().units, "words");
  const std::vector<TaggedWord> found = model.tag("ab,\u3000\u4e2d c");
  ASSERT_EQ(found.size(), 4u);
  const std::vector<std::string_view> words{"ab", ",", "\u4e2d", "c"};
  const std::vector<Words> read = model.tokenize_words(std::span(&words, 1));
  const std::vector<double> scores = model.scores(model.run(read).logits);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(found[i].word, words[i]);
    const auto row = std::span(scores).subspan(i * 3, 3);
    EXPECT_EQ(found[i].score, *std::ranges::max_element(row));
    EXPECT_EQ(found[i].score, row[found[i].label]);
  }
  // Bytes: the ideographic space has three.
  EXPECT_EQ(found[2].begin, 6u);
  EXPECT_EQ(found[2].end, 9u);
  EXPECT_EQ(found[2].begin_character, 4u);
  EXPECT_EQ(found[2].end_character, 5u);
  EXPECT_EQ(error_of([&] { (void)model.tag(" \n"); }), "I001");
  EXPECT_EQ(error_of([&] { (void)model.tag("a b c d e f g h i j k l m n o p q r s"); }), "I002");
  EXPECT_EQ(model.tag("a b c d e f g h i j k l m n o p q r s", true).size(), 18u);
  const Model other = Model::from_memory(TinyBert(TinyShape{.tokenizer = true}).file(), 1);
  EXPECT_EQ(other.info().units, "");
  EXPECT_EQ(error_of([&] { (void)other.tag("a"); }), "I018");
}

TEST(Tag, LabelsCharacters) {
  const Model model = Model::from_memory(tagger_of(fb::Units::Characters).file(), 1);
  EXPECT_EQ(model.info().units, "characters");
  const std::vector<TaggedWord> found = model.tag("ab e\u0301");
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[1].word, "b");
  EXPECT_EQ(found[2].word, "e\u0301");
  EXPECT_EQ(found[2].begin, 3u);
  EXPECT_EQ(found[2].end, 6u);
}

TEST(Tag, CountsBytesOfWhatIsNoUtf8) {
  const Model model = Model::from_memory(tagger_of(fb::Units::Words).file(), 1);
  // The beginning of a character of three bytes, one byte that begins none (read as U+FFFD, which BERT drops), and a
  // whole character.
  const std::string text = "a\xe4\xb8 \xff\xe4\xb8\xad b";
  const std::vector<TaggedWord> found = model.tag(text);
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].word, "a\xef\xbf\xbd");
  const std::size_t places[][4] = {{0, 3, 0, 2}, {5, 8, 4, 5}, {9, 10, 6, 7}};
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(found[i].begin, places[i][0]);
    EXPECT_EQ(found[i].end, places[i][1]);
    EXPECT_EQ(found[i].begin_character, places[i][2]);
    EXPECT_EQ(found[i].end_character, places[i][3]);
  }
}

TEST(Tag, DoesNotGuessWordsAndRefusesUnknownUnits) {
  const Model model = Model::from_memory(tagger_of(fb::Units::Given).file(), 1);
  EXPECT_EQ(model.info().units, "given");
  EXPECT_EQ(error_of([&] { (void)model.tag("a"); }), "I130");
  const auto strange = tagger_of(static_cast<fb::Units>(3)).file();
  EXPECT_EQ(error_of([&] { (void)Model::from_memory(strange, 1); }), "F068");
}

TEST(Words, HaveTheLogitsOfTheirFirstPieces) {
  const Model model = Model::from_memory(TinyBert(TinyShape{.per_token = true, .tokenizer = true}).file(), 1);
  const std::vector<std::vector<std::string_view>> texts{{"ab", "c"}, {"d"}, {"c", "ab", "ab"}};
  std::vector<Words> read = model.tokenize_words(texts);
  const Output out = model.run(read);
  ASSERT_EQ(out.logits.rows, 6u);
  const std::size_t width = out.logits.columns;
  std::size_t row = 0;
  for (const Words& text : read) {
    const Output tokens = model.run(std::span(&text.ids, 1));
    for (const int32_t first : text.firsts) {
      const float* wanted = tokens.logits.data.data() + static_cast<std::size_t>(first) * width;
      EXPECT_EQ(std::memcmp(out.logits.data.data() + row++ * width, wanted, width * sizeof(float)), 0);
    }
  }
  for (const int32_t outside : {-1, static_cast<int32_t>(read[1].ids.size())}) {
    read[1].firsts = {outside};
    EXPECT_EQ(error_of([&] { (void)model.run(read); }), "I020");
  }
}

TEST(TokenTypes, OutOfRangeOrOfAnotherNumberAreRefused) {
  const Model pairs = Model::from_memory(TinyBert(TinyShape{.types = 2}).file(), 1);
  const Model single = Model::from_memory(TinyBert(TinyShape{}).file(), 1);
  EXPECT_FALSE(single.info().pairs);
  const auto run = [](const Model& model, std::vector<int32_t> types) {
    const std::vector<int32_t> ids{2, 5, 3};
    const std::size_t offsets[] = {0, 3};
    return error_of([&] { model.run(ids, offsets, types); });
  };
  EXPECT_EQ(run(pairs, {0, 1, 1}), "");
  EXPECT_EQ(run(pairs, {0, 2, 1}), "I014");
  EXPECT_EQ(run(pairs, {0, -1, 1}), "I014");
  EXPECT_EQ(run(pairs, {0, 1}), "I010");
  EXPECT_EQ(run(single, {0, 0, 0}), "");
  EXPECT_EQ(run(single, {0, 1, 0}), "I014");
}

TEST(Pairs, AreTokenizedAsHuggingFaceDoes) {
  const Model model = Model::from_memory(TinyBert(TinyShape{.max_tokens = 9, .types = 2, .tokenizer = true}).file(), 1);
  using Pair = std::pair<std::string_view, std::string_view>;
  const auto tokenize = [&](Pair pair, bool truncate) {
    return model.tokenize_pairs(std::span(&pair, 1), truncate).front();
  };
  // Letters a, b, ... have ids 4, 5, ...; [CLS] is 2, [SEP] 3.
  const Tokens both = tokenize({"a b", "c d e"}, false);
  EXPECT_EQ(both.ids, (std::vector<int32_t>{2, 4, 5, 3, 6, 7, 8, 3}));
  EXPECT_EQ(both.types, (std::vector<int32_t>{0, 0, 0, 0, 1, 1, 1, 1}));
  EXPECT_EQ(tokenize({"a b c d e f g", "x"}, true).ids, (std::vector<int32_t>{2, 4, 5, 6, 7, 8, 3, 27, 3}));
  EXPECT_EQ(tokenize({"a b c d", "e f g h i j"}, true).ids, (std::vector<int32_t>{2, 4, 5, 6, 3, 8, 9, 10, 3}));
  EXPECT_EQ(error_of([&] { tokenize({"a b c d e f g", "x"}, false); }), "I002");
  EXPECT_EQ(error_of([&] { tokenize({"a", " "}, false); }), "I001");
  EXPECT_EQ(error_of([&] { tokenize({"", "a"}, true); }), "I001");
  const Model single = Model::from_memory(TinyBert(TinyShape{.tokenizer = true}).file(), 1);
  const Pair pair{"a", "b"};
  EXPECT_EQ(error_of([&] { single.tokenize_pairs(std::span(&pair, 1)); }), "I014");
}

TEST_P(Models, GiveTheSameBitsForAnyThreadsBatchAndKernels) {
  const TinyShape shape = GetParam();
  const auto file = TinyBert(shape).file();
  // Several chunks: about 630 tokens, 315 under an emulator.
  const auto batch = random_batch(3, testing::emulated() ? 30 : 60, shape);
  const Output one = Model::from_memory(file, 1).run(batch);
  for (const int threads : {2, 3, 4}) {
    const Output more = Model::from_memory(file, threads).run(batch);
    EXPECT_TRUE(same_bits(one.logits, more.logits)) << threads << " threads";
    EXPECT_TRUE(same_bits(one.embedding, more.embedding)) << threads << " threads";
  }
  const Model model = Model::from_memory(file, 1);
  Matrix singly{0, shape.labels, {}};
  for (const auto& sequence : batch) {
    const Output single = model.run(std::span(&sequence, 1));
    singly.data.insert(singly.data.end(), single.logits.data.begin(), single.logits.data.end());
    ++singly.rows;
  }
  EXPECT_TRUE(same_bits(one.logits, singly));
}

INSTANTIATE_TEST_SUITE_P(
    Tiny, Models,
    ::testing::Values(TinyShape{}, TinyShape{.cls = true, .seed = 2}, TinyShape{.quantized = true, .seed = 3},
                      TinyShape{.quantized = true, .cls = true, .seed = 4},
                      TinyShape{.hidden = 36, .heads = 3, .inner = 50, .labels = 1, .quantized = true, .seed = 5},
                      TinyShape{.quantized = true, .int4 = true, .seed = 9},
                      TinyShape{.hidden = 36, .heads = 3, .inner = 50, .quantized = true, .int4 = true, .seed = 10},
                      TinyShape{.hidden = 192,
                                .heads = 4,
                                .inner = 640,
                                .layers = 1,
                                .quantized = true,
                                .int4 = true,
                                .cls = true,
                                .seed = 11},
                      TinyShape{.hidden = 64, .heads = 4, .inner = 256, .max_tokens = 40, .labels = 20, .seed = 6},
                      TinyShape{.hidden = 192, .heads = 4, .inner = 640, .layers = 1, .quantized = true, .seed = 7},
                      TinyShape{.hidden = 8, .heads = 8, .inner = 1, .layers = 1, .max_tokens = 300, .seed = 8}));

TEST(Model, TellsAboutItself) {
  const TinyShape shape{.quantized = true, .tokenizer = true};
  const auto file = TinyBert(shape).file();
  const Model model = Model::from_memory(file, 3);
  const Info& info = model.info();
  EXPECT_EQ(info.name, "tiny");
  EXPECT_EQ(info.scheme, "int8");
  EXPECT_EQ(info.labels, (std::vector<std::string>{"label 0", "label 1", "label 2"}));
  EXPECT_EQ(info.max_tokens, 20u);
  EXPECT_EQ(info.vocabulary, 50u);
  EXPECT_EQ(info.hidden, 24u);
  EXPECT_EQ(info.bytes, file.size());
  EXPECT_EQ(info.threads, 3);
  EXPECT_TRUE(info.has_tokenizer);
  EXPECT_FALSE(info.isa.empty());
  EXPECT_EQ(info.provenance, (std::vector<std::pair<std::string, std::string>>{{"recipe", "0123"}}));
  // word, position, one norm; a layer: qkv, out, up, down with biases and two norms; head.
  const uint64_t h = 24, inner = 40;
  const uint64_t layer = 3 * h * h + 3 * h + h * h + h + inner * h + inner + h * inner + h + 4 * h;
  EXPECT_EQ(info.parameters, 50 * h + 20 * h + 2 * h + 2 * layer + 3 * h + 3);
  EXPECT_GT(info.arena_bytes, 0u);
}

TEST(Model, RefusesBadIds) {
  const Model model = Model::from_memory(TinyBert(TinyShape{}).file(), 1);
  const auto run = [&](std::vector<int32_t> ids) {
    return error_of([&] { model.run(std::vector<std::vector<int32_t>>{{1, 2}, std::move(ids)}); });
  };
  EXPECT_EQ(run({3}), "");
  EXPECT_EQ(run({}), "I001");
  EXPECT_EQ(run(std::vector<int32_t>(20, 1)), "");
  EXPECT_EQ(run(std::vector<int32_t>(21, 1)), "I002");
  EXPECT_EQ(run({1, 50}), "I003");
  EXPECT_EQ(run({-1}), "I003");
  EXPECT_EQ(run({INT32_MIN}), "I003");
  EXPECT_EQ(run({49}), "");
  const std::vector<int32_t> ids{1, 2};
  const std::size_t wrong_end[] = {0, 3}, wrong_start[] = {1, 2}, down[] = {0, 2, 1, 2};
  EXPECT_EQ(error_of([&] { model.run(ids, wrong_end); }), "I020");
  EXPECT_EQ(error_of([&] { model.run(ids, wrong_start); }), "I020");
  EXPECT_EQ(error_of([&] { model.run(ids, down); }), "I001");
  EXPECT_EQ(model.run(std::vector<std::vector<int32_t>>{}).logits.rows, 0u);
}

TEST(Model, TokenizesAndTruncates) {
  const Model model = Model::from_memory(TinyBert(TinyShape{.max_tokens = 6, .tokenizer = true}).file(), 1);
  EXPECT_EQ(model.tokenize({"a b"}), (std::vector<std::vector<int32_t>>{{2, 4, 5, 3}}));
  EXPECT_EQ(model.tokenize({"a b c d"}).front().size(), 6u);
  EXPECT_EQ(error_of([&] { model.tokenize({"a", "a b c d e"}); }), "I002");
  EXPECT_EQ(model.tokenize({"a b c d e"}, true), (std::vector<std::vector<int32_t>>{{2, 4, 5, 6, 7, 3}}));
  for (const char* nothing : {"", " ", "\t\n ", "\x01"}) {
    EXPECT_EQ(error_of([&] { model.tokenize({nothing}); }), "I001");
  }
  const Model without = Model::from_memory(TinyBert(TinyShape{}).file(), 1);
  EXPECT_EQ(error_of([&] { without.tokenize({"a"}); }), "I005");
}

TEST(Model, MemoryIsBoundedByTheChunkNotTheBatch) {
  const auto file = TinyBert(TinyShape{}).file();
  const Model model = Model::from_memory(file, 1);
  // 9 values of at most 3 * 24 columns for 256 tokens.
  EXPECT_LT(model.info().arena_bytes, graph::kChunkTokens * 4 * 24 * 9);
  const std::size_t sequences = testing::emulated() ? 1000 : 5000;
  EXPECT_EQ(model.run(random_batch(1, sequences, TinyShape{})).logits.rows, sequences);
}

TEST(Model, RunsFromManyThreadsAtOnce) {
  const TinyShape shape{.quantized = true};
  const Model model = Model::from_memory(TinyBert(shape).file(), 2);
  const auto batch = random_batch(11, 30, shape);
  const Output wanted = model.run(batch);
  std::atomic<int> different{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 5; ++round) {
        if (!same_bits(model.run(batch).logits, wanted.logits)) ++different;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(different.load(), 0);
}

}  // namespace
}  // namespace potstill
