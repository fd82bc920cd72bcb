// Files that ask for far more than they hold. Each is refused by a number, or loads with memory of at most twice its
// size and steps linear in it: what is asserted is counted, not timed. A 32-bit build gives the same.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <numeric>

#include "format/reader.h"
#include "graph/graph.h"
#include "potstill/model.hpp"
#include "support/allocations.h"
#include "support/tiny_bert.h"

namespace potstill {
namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;
using testing::Bytes;
using testing::StillBuilder;
using testing::TinyBert;
using testing::TinyShape;

using Texts = std::vector<Offset<flatbuffers::String>>;

// What a header shares; 0: as the objects have it.
struct Shared {
  std::size_t labels = 0;       // references of the first head to one text
  std::size_t text = 0;         // bytes of that text
  std::size_t provenance = 0;   // references to one entry of two such texts
  std::size_t heads = 0;        // references to one head
  std::size_t normalizers = 0;  // references to one normalizer
  std::size_t inputs = 0;       // length of the list of inputs that all ops share
  std::size_t values = 0;       // references to one value
  std::size_t name = 0;         // bytes of the name that all ops share
};

template <typename Table>
std::vector<Offset<Table>> many(std::size_t count, Offset<Table> one) {
  return std::vector<Offset<Table>>(count, one);
}

Offset<fb::Head> pack_head(FlatBufferBuilder& b, const fb::HeadT& head, const Shared& shared) {
  if (shared.labels == 0) return fb::CreateHead(b, &head);
  const auto labels = b.CreateVector(many(shared.labels, b.CreateString(std::string(shared.text, 'x'))));
  const auto name = b.CreateString(head.name);
  return fb::CreateHead(b, name, head.value, head.body.type, head.body.Pack(b), labels);
}

Offset<fb::Card> pack_card(FlatBufferBuilder& b, const fb::CardT& card, const Shared& shared) {
  if (shared.provenance == 0) return fb::CreateCard(b, &card);
  const auto text = b.CreateString(std::string(shared.text, 'x'));
  const auto entries = b.CreateVector(many(shared.provenance, fb::CreateKeyValue(b, text, text)));
  return fb::CreateCard(b, 0, 0, b.CreateString("fp32"), 0, 0, entries);
}

std::vector<Offset<fb::Op>> pack_ops(FlatBufferBuilder& b, const fb::ModelT& model, const Shared& shared) {
  std::vector<Offset<fb::Op>> ops;
  Offset<flatbuffers::Vector<uint32_t>> inputs;
  Offset<flatbuffers::String> name;
  if (shared.inputs > 0) inputs = b.CreateVector(std::vector<uint32_t>(shared.inputs, 0));
  if (shared.name > 0) name = b.CreateString(std::string(shared.name, 'n'));
  for (const auto& op : model.ops) {
    const auto own_inputs = shared.inputs > 0 ? inputs : b.CreateVector(op->inputs);
    const auto own_name = shared.name > 0 ? name : b.CreateString(op->name);
    ops.push_back(fb::CreateOp(b, own_name, op->body.type, op->body.Pack(b), own_inputs, op->output));
  }
  return ops;
}

Bytes pack(const fb::ModelT& model, const Shared& shared) {
  FlatBufferBuilder b;
  std::vector<Offset<fb::Tensor>> tensors;
  for (const auto& tensor : model.tensors) tensors.push_back(fb::CreateTensor(b, tensor.get()));
  std::vector<Offset<fb::Value>> values;
  for (const auto& value : model.values) values.push_back(fb::CreateValue(b, value.get()));
  if (shared.values > 0) values = many(shared.values, values[0]);
  const std::vector<Offset<fb::Op>> ops = pack_ops(b, model, shared);
  std::vector<Offset<fb::Head>> heads;
  for (const auto& head : model.heads) heads.push_back(pack_head(b, *head, head == model.heads[0] ? shared : Shared{}));
  if (shared.heads > 0) heads = many(shared.heads, heads[0]);
  const auto card = pack_card(b, *model.card, shared);
  Offset<fb::Tokenizer> tokenizer;
  if (model.tokenizer != nullptr) tokenizer = fb::CreateTokenizer(b, model.tokenizer.get());
  if (shared.normalizers > 0) {
    const auto step = fb::CreateNormalizer(b, fb::NormalizerBody::Lowercase, fb::CreateLowercase(b).Union());
    const auto steps = b.CreateVector(many(shared.normalizers, step));
    const auto piece = fb::CreateWordPiece(b).Union();
    tokenizer = fb::CreateTokenizer(b, fb::CreateVocabulary(b), 0, steps, 0, fb::TokenizerModel::WordPiece, piece);
  }
  const auto input = model.input.Pack(b);
  const auto all_tensors = b.CreateVector(tensors);
  const auto all_values = b.CreateVector(values);
  const auto all_ops = b.CreateVector(ops);
  const auto all_heads = b.CreateVector(heads);
  fb::FinishModelBuffer(
      b, fb::CreateModel(b, 1, card, model.input.type, input, all_tensors, all_values, all_ops, all_heads, tokenizer));
  const auto* data = reinterpret_cast<const std::byte*>(b.GetBufferPointer());
  return Bytes(data, data + b.GetSize());
}

struct Loaded {
  std::string code;              // "": it loads
  uint64_t bytes = 0;            // asked for while it was loaded, beside the copy of the file
  uint64_t kept = 0, steps = 0;  // of the budget, when it loads
};

Loaded load(const Bytes& file, int threads = 1) {
  format::Mapping mapping = format::Mapping::copy(file);
  Loaded loaded;
  const uint64_t before = testing::allocated_bytes();
  try {
    const auto graph = graph::build(format::read(std::move(mapping), "m"), threads);
    loaded.kept = graph->file.budget.kept();
    loaded.steps = graph->file.budget.steps();
  } catch (const Error& error) {
    loaded.code = error.code;
  }
  loaded.bytes = testing::allocated_bytes() - before;
  return loaded;
}

Bytes shared_file(const Shared& shared) {
  const TinyBert tiny(TinyShape{.tokenizer = true});
  return tiny.builder.file_packed([&](const fb::ModelT& model) { return pack(model, shared); });
}

struct Case {
  const char* code;
  const char* what;
  Shared shared;
};

class SharedParts : public ::testing::TestWithParam<Case> {};

TEST_P(SharedParts, AreRefusedBeforeTheyMultiply) {
  const Bytes file = shared_file(GetParam().shared);
  const Loaded loaded = load(file);
  EXPECT_EQ(loaded.code, GetParam().code) << GetParam().what;
  EXPECT_LE(loaded.bytes, file.size()) << GetParam().what;  // with its copy: twice the file
}

INSTANTIATE_TEST_SUITE_P(
    Cases, SharedParts,
    ::testing::Values(Case{"", "nothing", {}}, Case{"F066", "labels of 30 KB", {.labels = 60000, .text = 30000}},
                      Case{"F066", "empty labels", {.labels = 100000}},
                      Case{"F065", "more labels than columns", {.labels = 200000, .text = 1}},
                      Case{"F065", "a label of 100 KB", {.labels = 3, .text = 100000}},
                      Case{"F066", "provenance", {.text = 60000, .provenance = 1000}},
                      Case{"F065", "much provenance", {.text = 10, .provenance = 20000}},
                      Case{"F011", "more tables than are read", {.text = 10, .provenance = 1000000}},
                      Case{"F013", "heads", {.heads = 60000}},
                      Case{"F066", "labels of many heads", {.labels = 60000, .text = 10, .heads = 16}},
                      Case{"F065", "normalizers", {.normalizers = 5000}}, Case{"F065", "inputs", {.inputs = 60000}},
                      Case{"F013", "values", {.values = 60000}}, Case{"F065", "names", {.name = 60000}}));

// A chain of products [width, width] that share one matrix; `sums` tensors of its column sums, taken in turn.
Bytes chain(std::size_t ops, uint32_t width, std::size_t sums) {
  StillBuilder builder;
  builder.token_ids(8);
  fb::EmbeddingT table;
  table.word_t = builder.f32("word", {1, width}, std::vector<float>(width, 1));
  table.position_t = builder.f32("position", {8, width}, std::vector<float>(std::size_t{8} * width));
  uint32_t x = builder.value("x", fb::Rows::Tokens, width);
  builder.op("embedding", std::move(table), {}, x);
  const int weight = builder.packed_i8("w", width, width, std::vector<int8_t>(std::size_t{width} * width, 1));
  const int scale = builder.f32("scale", {width}, std::vector<float>(width, 0.001f));
  std::vector<int> colsum;
  for (std::size_t i = 0; i < sums; ++i) {
    colsum.push_back(builder.i32("sums", {width}, std::vector<int32_t>(width, static_cast<int32_t>(width))));
  }
  for (std::size_t i = 0; i < ops; ++i) {
    fb::LinearT linear;
    linear.weight_t = weight;
    linear.scale_t = scale;
    linear.colsum_t = colsum[i % sums];
    linear.input_quant = fb::InputQuant::Symmetric;
    const uint32_t y = builder.value("y", fb::Rows::Tokens, width);
    builder.op("linear", std::move(linear), {x}, y);
    x = y;
  }
  builder.head("tags", x, fb::TagsT{});
  return builder.file();
}

TEST(SharedWeights, AreReadOnce) {
  const Bytes once = chain(1, 512, 1), often = chain(200, 512, 1);
  const Loaded one = load(once), many_times = load(often);
  EXPECT_EQ(one.code, "");
  EXPECT_EQ(many_times.code, "");
  // The rest are the chain's own ops: 800 buffers compared with each other.
  EXPECT_LE(many_times.steps, one.steps + 800 * 800 / 2 + 2 * (often.size() - once.size()));
  EXPECT_LE(many_times.bytes, often.size());
  EXPECT_EQ(load(chain(2, 512, 2)).code, "F047");
}

TEST(ManyOps, ArePaidForByTheFilesSize) {
  EXPECT_EQ(load(chain(300, 16, 1)).code, "F066");  // 40 KB that make 1,200 buffers
  EXPECT_EQ(load(chain(300, 512, 1)).code, "");
}

// What is charged is what is taken.
TEST(TheBudget, IsHonest) {
  for (const TinyShape& shape :
       {TinyShape{.tokenizer = true}, TinyShape{.layers = 12, .labels = 100, .quantized = true}}) {
    const Bytes file = TinyBert(shape).file();
    const Loaded loaded = load(file);
    EXPECT_EQ(loaded.code, "");
    EXPECT_LE(loaded.bytes, 3 * loaded.kept / 2 + 8192) << file.size();  // also what is freed again
    EXPECT_LE(loaded.steps, 8 * file.size()) << file.size();
  }
}

// Sizes whose products are over 2^32: on a 32-bit machine they must not wrap to something small.
TEST(Sizes, AreNotCutTo32Bits) {
  const auto attention = [](uint32_t width, int threads) {
    constexpr uint32_t kTokens = 8192;
    StillBuilder builder;
    builder.token_ids(kTokens);
    fb::EmbeddingT table;
    table.word_t = builder.f32("word", {1, 1}, {1});
    table.position_t = builder.f32("position", {kTokens, 1}, std::vector<float>(kTokens));
    const uint32_t x = builder.value("x", fb::Rows::Tokens, 1), qkv = builder.value("qkv", fb::Rows::Tokens, 3 * width),
                   mixed = builder.value("mixed", fb::Rows::Tokens, width),
                   pooled = builder.value("pooled", fb::Rows::Sequences, width);
    builder.op("embedding", std::move(table), {}, x);
    fb::LinearT linear;
    linear.weight_t = builder.packed_f32("w", 3 * width, 1, std::vector<float>(std::size_t{3} * width, 1));
    builder.op("linear", std::move(linear), {x}, qkv);
    fb::AttentionT body;
    body.heads = 1;
    builder.op("attention", std::move(body), {qkv}, mixed);
    builder.op("pool", fb::PoolT{}, {mixed}, pooled);
    builder.head("vector", pooled, fb::VectorT{});
    return load(builder.file(), threads).code;
  };
  // One thread's scratch is 537 MB, that of 8 is 4,300 MB: 1.05 MB modulo 2^32.
  EXPECT_EQ(attention(8192, 1), "");
  EXPECT_EQ(attention(8192, 8), "F045");
  EXPECT_EQ(attention(16384, 4), "F045");
  EXPECT_EQ(attention(43690, 1), "F045");  // values of 4.3 GB
}

// A mapped file that is overwritten behind the loader's back: numbers may change, but nothing is read outside of it.
TEST(AMappedFile, OverwrittenAnywhereStaysInItsMemory) {
  const TinyBert tiny(TinyShape{.quantized = true, .tokenizer = true});
  const Bytes bytes = tiny.file();
  const std::string path = ::testing::TempDir() + "potstill_hostile_" + std::to_string(getpid()) + ".still";
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  for (const std::byte value : {std::byte{0}, std::byte{1}, std::byte{0x7f}, std::byte{0xff}}) {
    const Model model = Model::load(path, 1, true);
    const Info before = model.info();
    std::fstream out(path, std::ios::binary | std::ios::in | std::ios::out);
    out.seekp(64);  // the header too: the loader has its own copy
    const Bytes garbage(bytes.size() - 64, value);
    out.write(reinterpret_cast<const char*>(garbage.data()), static_cast<std::streamsize>(garbage.size())).flush();
    for (const auto& ids : model.tokenize({"a bee, [MASK] abcdefgh", "zzzz"}, true)) {
      for (const int32_t id : ids) EXPECT_LT(static_cast<uint32_t>(id), before.vocabulary);
      try {
        model.run(std::vector<std::vector<int32_t>>{ids});
      } catch (const Error& error) {
        EXPECT_EQ(error.code, "F062");  // the numbers are no numbers any more
      }
    }
    EXPECT_EQ(model.weights().size(), tiny.builder.sections.size());
    out.seekp(0);
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  std::remove(path.c_str());
}

}  // namespace
}  // namespace potstill
