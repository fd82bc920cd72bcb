// Every F code, each from one wrong thing in an otherwise good file.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <limits>
#include <memory>
#include <utility>

#include "format/mapping.h"
#include "format/tensors.h"
#include "potstill/model.hpp"
#include "support/tiny_bert.h"

namespace potstill {
namespace {

using testing::Bytes;
using testing::StillBuilder;
using testing::TinyBert;
using testing::TinyShape;

const TinyShape kShape{.quantized = true, .tokenizer = true};

fb::OpT& op(fb::ModelT& model, const std::string& name) {
  for (auto& entry : model.ops) {
    if (entry->name == name) return *entry;
  }
  throw std::runtime_error("no op " + name);
}

int tensor(const StillBuilder& builder, const std::string& name) {
  for (std::size_t i = 0; i < builder.model.tensors.size(); ++i) {
    if (builder.model.tensors[i]->name == name) return static_cast<int>(i);
  }
  throw std::runtime_error("no tensor " + name);
}

// BertNormalizer may make 12 bytes of one.
void repeat_normalizer(fb::ModelT& model, std::size_t times) {
  auto& steps = model.tokenizer->normalizers;
  while (steps.size() < times) steps.push_back(std::make_unique<fb::NormalizerT>(*steps[0]));
}

struct HeaderCase {
  const char* code;
  const char* what;
  std::function<void(fb::ModelT&)> spoil;
};

class HeaderRules : public ::testing::TestWithParam<HeaderCase> {};

TEST_P(HeaderRules, AreChecked) {
  const TinyBert tiny(kShape);
  EXPECT_EQ(testing::load_error(tiny.builder.file(GetParam().spoil)), GetParam().code) << GetParam().what;
}

fb::LinearT& linear(fb::ModelT& model, const std::string& name) { return *op(model, name).body.AsLinear(); }

template <typename Enum>
Enum wild() {
  return static_cast<Enum>(200);
}

using M = fb::ModelT;

template <typename Body>
void add_normalizer(M& model, Body body) {
  model.tokenizer->normalizers.push_back(std::make_unique<fb::NormalizerT>());
  model.tokenizer->normalizers.back()->body.Set(std::move(body));
}

template <typename Body>
void add_pre_tokenizer(M& model, Body body) {
  model.tokenizer->pre_tokenizers.push_back(std::make_unique<fb::PreTokenizerT>());
  model.tokenizer->pre_tokenizers.back()->body.Set(std::move(body));
}

void add_split(M& model, fb::PatternKind kind, const char* text, fb::Behavior behavior) {
  fb::SplitT split;
  split.pattern = std::make_unique<fb::PatternT>();
  split.pattern->kind = kind;
  split.pattern->text = text;
  split.behavior = behavior;
  add_pre_tokenizer(model, std::move(split));
}

void add_metaspace(M& model, const char* replacement, fb::Prefix prefix) {
  fb::MetaspaceT metaspace;
  metaspace.replacement = replacement;
  metaspace.prefix = prefix;
  add_pre_tokenizer(model, std::move(metaspace));
}

const HeaderCase kHeaderCases[] = {
    {"", "nothing", [](M&) {}},
    {"F012", "newer schema", [](M& m) { m.schema_version = 2; }},
    {"F012", "schema 0", [](M& m) { m.schema_version = 0; }},
    {"F013", "no ops", [](M& m) { m.ops.clear(); }},
    {"F014", "dtype", [](M& m) { m.tensors[0]->dtype = wild<fb::DType>(); }},
    {"F014", "layout", [](M& m) { m.tensors[0]->layout = wild<fb::Layout>(); }},
    {"F015", "no shape", [](M& m) { m.tensors[0]->shape.clear(); }},
    {"F015", "rank 5", [](M& m) { m.tensors[0]->shape = {1, 1, 1, 1, 1}; }},
    {"F016", "zero dimension", [](M& m) { m.tensors[0]->shape[0] = 0; }},
    {"F016", "overflowing shape", [](M& m) { m.tensors[0]->shape = {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}; }},
    {"F016", "int4 in an int8 layout", [](M& m) { m.tensors[0]->dtype = fb::DType::I4; }},
    {"F016", "int4 layout of int8", [](M& m) { m.tensors[0]->layout = fb::Layout::RowMajorI4; }},
    {"F016", "int4 layout of int8", [](M& m) { m.tensors[0]->layout = fb::Layout::PackI4N4K32; }},
    {"F016", "packed layout of f32 for int8", [](M& m) { m.tensors[0]->layout = fb::Layout::PackF32N8; }},
    {"F017", "size", [](M& m) { m.tensors[0]->size += 1; }},
    {"F017", "size", [](M& m) { m.tensors[0]->size = UINT64_MAX; }},
    {"F017", "shape", [](M& m) { m.tensors[0]->shape[0] += 1; }},
    {"F018", "gap", [](M& m) { m.tensors[1]->offset += 64; }},
    {"F018", "misaligned", [](M& m) { m.tensors[1]->offset += 1; }},
    {"F018", "overlap", [](M& m) { m.tensors[1]->offset = m.tensors[0]->offset; }},
    {"F018", "order", [](M& m) { std::swap(m.tensors[0], m.tensors[1]); }},
    {"F019", "bytes after the last tensor", [](M& m) { m.tensors.pop_back(); }},
    {"F020", "checksum", [](M& m) { m.tensors[3]->xxh64 ^= 1; }},
    {"F022", "rows", [](M& m) { m.values[0]->rows = wild<fb::Rows>(); }},
    {"F022", "width 0", [](M& m) { m.values[0]->width = 0; }},
    {"F022", "width", [](M& m) { m.values[0]->width = 1 << 20; }},
    {"F023", "input index", [](M& m) { op(m, "head").inputs[0] = 1000; }},
    {"F023", "input count", [](M& m) { op(m, "head").inputs.clear(); }},
    {"F023", "input count", [](M& m) { op(m, "layer0.attention").inputs.push_back(0); }},
    {"F023", "embedding with an input",
     [](M& m) {
       m.values.push_back(std::make_unique<fb::ValueT>(*m.values[0]));
       m.ops.push_back(std::make_unique<fb::OpT>(*m.ops[0]));
       m.ops.back()->inputs = {0};
       m.ops.back()->output = static_cast<uint32_t>(m.values.size()) - 1;
     }},
    {"F024", "output index", [](M& m) { op(m, "head").output = 1000; }},
    {"F024", "written twice", [](M& m) { op(m, "head").output = 0; }},
    {"F025", "read before written", [](M& m) { op(m, "layer0.qkv").inputs[0] = op(m, "head").output; }},
    {"F025", "reads itself", [](M& m) { op(m, "head").inputs[0] = op(m, "head").output; }},
    {"F026", "never written", [](M& m) { m.ops.pop_back(); }},
    {"F028", "tensor absent", [](M& m) { linear(m, "head").weight_t = -1; }},
    {"F028", "tensor absent", [](M& m) { linear(m, "head").colsum_t = -1; }},
    {"F028", "tensor index", [](M& m) { linear(m, "head").scale_t = 5000; }},
    {"F028", "tensor index", [](M& m) { linear(m, "head").bias_t = -2; }},
    {"F028", "word scale absent", [](M& m) { m.ops[0]->body.AsEmbedding()->word_scale_t = -1; }},
    {"F028", "gamma absent", [](M& m) { m.ops[1]->body.AsLayerNorm()->gamma_t = INT32_MIN; }},
    {"F029", "dtype", [](M& m) { linear(m, "head").scale_t = linear(m, "head").colsum_t; }},
    {"F029", "int8 weight for f32 input", [](M& m) { linear(m, "head").input_quant = fb::InputQuant::None; }},
    {"F030", "shape of a weight", [](M& m) { linear(m, "head").weight_t = linear(m, "layer0.up").weight_t; }},
    {"F030", "length of a bias", [](M& m) { linear(m, "head").bias_t = linear(m, "layer0.up").bias_t; }},
    {"F030", "length of scales", [](M& m) { linear(m, "head").scale_t = linear(m, "layer0.up").scale_t; }},
    {"F030", "width of a value", [](M& m) { m.values[op(m, "layer0.up").output]->width = 41; }},
    {"F030", "rows of a pool",
     [](M& m) { op(m, "pool").inputs[0] = 0, m.values[op(m, "pool").output]->rows = fb::Rows::Tokens; }},
    {"F030", "rows of a linear", [](M& m) { m.values[op(m, "layer0.up").output]->rows = fb::Rows::Sequences; }},
    {"F030", "rows of an embedding", [](M& m) { m.values[0]->rows = fb::Rows::Sequences; }},
    {"F030", "residual width", [](M& m) { op(m, "layer0.out").inputs[1] = op(m, "layer0.qkv").output; }},
    {"F030", "attention width", [](M& m) { op(m, "layer0.attention").inputs[0] = 1; }},
    {"F031", "activation", [](M& m) { linear(m, "head").activation = wild<fb::Activation>(); }},
    {"F031", "input quantization", [](M& m) { linear(m, "head").input_quant = wild<fb::InputQuant>(); }},
    {"F031", "pool kind", [](M& m) { op(m, "pool").body.AsPool()->kind = wild<fb::PoolKind>(); }},
    {"F032", "heads", [](M& m) { op(m, "layer0.attention").body.AsAttention()->heads = 5; }},
    {"F032", "no heads", [](M& m) { op(m, "layer0.attention").body.AsAttention()->heads = 0; }},
    {"F033", "eps 0", [](M& m) { m.ops[1]->body.AsLayerNorm()->eps = 0; }},
    {"F033", "eps NaN", [](M& m) { m.ops[1]->body.AsLayerNorm()->eps = std::numeric_limits<float>::quiet_NaN(); }},
    {"F033", "eps negative", [](M& m) { m.ops[1]->body.AsLayerNorm()->eps = -1; }},
    {"F035", "max_tokens", [](M& m) { m.input.AsTokenIds()->max_tokens = 21; }},
    {"F036", "max_tokens 0", [](M& m) { m.input.AsTokenIds()->max_tokens = 0; }},
    {"F036", "max_tokens huge", [](M& m) { m.input.AsTokenIds()->max_tokens = UINT32_MAX; }},
    {"F037", "labels", [](M& m) { m.heads[0]->labels.pop_back(); }},
    {"F037", "labels of a vector", [](M& m) { m.heads[1]->labels = m.heads[0]->labels; }},
    {"F038", "value of a head", [](M& m) { m.heads[0]->value = 1000; }},
    {"F038", "value of a head", [](M& m) { m.heads[1]->value = UINT32_MAX; }},
    {"F038", "no result", [](M& m) { m.heads.clear(); }},
    {"F039", "no text", [](M& m) { m.tokenizer->vocabulary->text_t = -1; }},
    {"F039", "slots elsewhere", [](M& m) { m.tokenizer->vocabulary->slots_t = 0; }},
    {"F040", "offsets are slots", [](M& m) { m.tokenizer->vocabulary->offsets_t = m.tokenizer->vocabulary->slots_t; }},
    {"F040", "special id", [](M& m) { m.tokenizer->pad_id = 50; }},
    {"F040", "special id", [](M& m) { m.tokenizer->pad_id = -2; }},
    {"", "no padding", [](M& m) { m.tokenizer->pad_id = -1; }},
    {"", "normalizers that make 1,728 times the text", [](M& m) { repeat_normalizer(m, 3); }},
    {"F040", "normalizers that make 248,832 times the text", [](M& m) { repeat_normalizer(m, 5); }},
    {"F040", "special id", [](M& m) { m.tokenizer->model.AsWordPiece()->unk_id = 50; }},
    {"F048", "label", [](M& m) { m.heads[0]->labels[0] = "\xff"; }},
    {"F048", "provenance", [](M& m) { m.card->provenance[0]->value = "\xc0\x80"; }},
    {"F048", "licence", [](M& m) { m.card->license = "\xed\xa0\x80"; }},
    {"", "no normalizer", [](M& m) { m.tokenizer->normalizers.clear(); }},
    {"", "two normalizers",
     [](M& m) { m.tokenizer->normalizers.push_back(std::make_unique<fb::NormalizerT>(*m.tokenizer->normalizers[0])); }},
    {"", "a normal form", [](M& m) { add_normalizer(m, fb::UnicodeT{}); }},
    {"F040", "form",
     [](M& m) {
       add_normalizer(m, fb::UnicodeT{});
       m.tokenizer->normalizers.back()->body.AsUnicode()->form = wild<fb::UnicodeForm>();
     }},
    {"F040", "nothing before", [](M& m) { add_normalizer(m, fb::PrependT{}); }},
    {"F040", "replacing nothing", [](M& m) { add_normalizer(m, fb::ReplaceT{}); }},
    {"F039", "no map", [](M& m) { add_normalizer(m, fb::PrecompiledT{}); }},
    {"", "bytes", [](M& m) { add_pre_tokenizer(m, fb::ByteLevelT{}); }},
    {"F040", "bytes twice",
     [](M& m) { add_pre_tokenizer(m, fb::ByteLevelT{}), add_pre_tokenizer(m, fb::ByteLevelT{}); }},
    {"", "a split", [](M& m) { add_split(m, fb::PatternKind::Gpt2, "", fb::Behavior::Removed); }},
    {"F040", "a split without a pattern", [](M& m) { add_pre_tokenizer(m, fb::SplitT{}); }},
    {"F040", "no text", [](M& m) { add_split(m, fb::PatternKind::Text, "", fb::Behavior::Removed); }},
    {"F040", "pattern", [](M& m) { add_split(m, wild<fb::PatternKind>(), "a", fb::Behavior::Removed); }},
    {"F040", "behavior", [](M& m) { add_split(m, fb::PatternKind::Gpt2, "", wild<fb::Behavior>()); }},
    {"F040", "no replacement", [](M& m) { add_pre_tokenizer(m, fb::MetaspaceT{}); }},
    {"F040", "two characters", [](M& m) { add_metaspace(m, "ab", fb::Prefix::Never); }},
    {"F040", "prefix", [](M& m) { add_metaspace(m, "_", wild<fb::Prefix>()); }},
    {"F040", "no template", [](M& m) { m.tokenizer->single.clear(); }},
    {"", "another template", [](M& m) { m.tokenizer->single.pop_back(); }},
    {"F040", "a text twice", [](M& m) { m.tokenizer->single.push_back(m.tokenizer->single[1]); }},
    {"F040", "a second text in the template of one", [](M& m) { m.tokenizer->single[1] = {0, fb::Part::Second, 0}; }},
    {"F040", "a token type that the model lacks", [](M& m) { m.tokenizer->single[0] = {2, fb::Part::Id, 1}; }},
    {"F040", "a pair of one text", [](M& m) { m.tokenizer->pair.pop_back(), m.tokenizer->pair.pop_back(); }},
    {"", "no pairs", [](M& m) { m.tokenizer->pair.clear(); }},
    {"F040", "an added token that no piece is",
     [](M& m) {
       m.tokenizer->added.push_back(std::make_unique<fb::AddedTokenT>());
       m.tokenizer->added.back()->id = 50;
     }},
    {"F068", "tags of a text", [](M& m) { m.heads[0]->body.Set(fb::TagsT{}); }},
    {"F068", "a vector a token", [](M& m) { m.heads[1]->value = 0; }},
    {"F069", "temperature 0", [](M& m) { m.heads[0]->temperature = 0; }},
    {"F069", "temperature NaN", [](M& m) { m.heads[0]->temperature = std::numeric_limits<float>::quiet_NaN(); }},
    {"F069", "threshold", [](M& m) { m.heads[0]->threshold = 1.5f; }},
    {"F071", "no name", [](M& m) { m.heads[0]->name.clear(); }},
    {"F071", "one name twice", [](M& m) { m.heads[0]->name = m.heads[1]->name; }},
    {"F072", "two vectors", [](M& m) { m.heads[0]->body.Set(fb::VectorT{}), m.heads[0]->labels.clear(); }},
};

INSTANTIATE_TEST_SUITE_P(Cases, HeaderRules, ::testing::ValuesIn(kHeaderCases));

TEST(FileRules, TokenTypes) {
  TinyShape shape = kShape;
  shape.types = 2;
  const TinyBert tiny(shape);
  EXPECT_EQ(testing::load_error(tiny.file()), "");
  const auto with = [&](int32_t type) {
    return testing::load_error(tiny.builder.file([&](M& m) { m.ops[0]->body.AsEmbedding()->type_t = type; }));
  };
  EXPECT_EQ(with(-1), "");
  EXPECT_EQ(with(-2), "F028");
  EXPECT_EQ(with(9999), "F028");
  EXPECT_EQ(with(tiny.builder.model.ops[0]->body.AsEmbedding()->word_t), kShape.quantized ? "F029" : "");
  EXPECT_EQ(with(tiny.builder.model.ops[1]->body.AsLayerNorm()->gamma_t), "F030");
}

TEST(FileRules, AnEmbeddingOnlyModelIsFine) {
  const TinyBert tiny(kShape);
  EXPECT_EQ(testing::load_error(tiny.builder.file([](M& m) { m.heads.erase(m.heads.begin()); })), "");
  EXPECT_EQ(testing::load_error(tiny.builder.file([](M& m) { m.heads.pop_back(); })), "");
  EXPECT_EQ(testing::load_error(tiny.builder.file([](M& m) { m.tokenizer.reset(); })), "");
}

// Changes 32 or 64 bits of the preamble and makes its checksum right again.
template <typename T>
std::string with_preamble(std::size_t at, T value) {
  Bytes file = TinyBert(kShape).file();
  std::memcpy(file.data() + at, &value, sizeof value);
  testing::fix_checksums(file);
  return testing::load_error(file);
}

TEST(FileRules, Preamble) {
  EXPECT_EQ(with_preamble(0, uint64_t{0}), "F003");
  EXPECT_EQ(with_preamble(8, uint32_t{2}), "F004");
  EXPECT_EQ(with_preamble(8, UINT32_MAX), "F004");
  EXPECT_EQ(with_preamble(8, uint32_t{0}), "F006");
  EXPECT_EQ(with_preamble(12, uint32_t{1}), "F006");
  EXPECT_EQ(with_preamble(40, uint64_t{1}), "F006");
  EXPECT_EQ(with_preamble(48, uint64_t{1}), "F006");
  EXPECT_EQ(with_preamble(24, uint64_t{64}), "F007");
  EXPECT_EQ(with_preamble(24, UINT64_MAX), "F007");
  EXPECT_EQ(with_preamble(16, uint64_t{0}), "F008");
  EXPECT_EQ(with_preamble(16, UINT64_MAX), "F008");
  EXPECT_EQ(with_preamble(16, UINT64_MAX - 62), "F008");
  EXPECT_EQ(with_preamble(16, uint64_t{1} << 27), "F008");
}

TEST(FileRules, Header) {
  Bytes file = TinyBert(kShape).file();
  uint64_t size = 0;
  std::memcpy(&size, file.data() + 16, sizeof size);
  ASSERT_NE(size % 64, 0u);
  file[static_cast<std::size_t>(64 + size)] = std::byte{1};
  testing::fix_checksums(file);
  EXPECT_EQ(testing::load_error(file), "F010");
  EXPECT_EQ(testing::load_error(testing::assemble(Bytes(100), {})), "F011");
  EXPECT_EQ(testing::load_error(testing::assemble(Bytes(4), {})), "F011");
}

TEST(FileRules, AMissingLastSectionEndsTheFileTooSoon) {
  const TinyBert tiny(kShape);
  Bytes header_and_all = tiny.file();
  uint64_t size = 0;
  std::memcpy(&size, header_and_all.data() + 16, sizeof size);
  const Bytes header(header_and_all.begin() + 64, header_and_all.begin() + 64 + static_cast<std::ptrdiff_t>(size));
  std::vector<Bytes> sections = tiny.builder.sections;
  sections.pop_back();
  EXPECT_EQ(testing::load_error(testing::assemble(header, sections)), "F019");
}

TEST(FileRules, AnOpOfANewerSchemaIsUnknown) {
  // The kind of an op is one byte of the header: find the header in which it alone changes.
  const TinyBert tiny(kShape);
  const Bytes good = tiny.file();
  uint64_t size = 0;
  std::memcpy(&size, good.data() + 16, sizeof size);
  const auto* table = fb::GetModel(good.data() + 64)->ops()->Get(0);
  const auto* kind = reinterpret_cast<const flatbuffers::Table*>(table)->GetAddressOf(fb::Op::VT_BODY_TYPE);
  ASSERT_NE(kind, nullptr);
  Bytes file = good;
  file[static_cast<std::size_t>(kind - reinterpret_cast<const uint8_t*>(good.data()))] = std::byte{99};
  testing::fix_checksums(file);
  EXPECT_EQ(testing::load_error(file), "F027");
}

// Changes one byte of one tensor, with right checksums.
std::string with_byte(const TinyShape& shape, const std::string& name, std::ptrdiff_t at, int value) {
  TinyBert tiny(shape);
  Bytes& section = tiny.builder.sections[static_cast<std::size_t>(tensor(tiny.builder, name))];
  const std::size_t index = at >= 0 ? static_cast<std::size_t>(at) : section.size() - static_cast<std::size_t>(-at);
  section.at(index) = static_cast<std::byte>(value);
  return testing::load_error(tiny.file());
}

TEST(FileRules, PaddingInsideThePackedLayoutsIsZero) {
  // [3, 24] int8: row 3 of the panel, and columns 24.. of row 2, are padding.
  EXPECT_EQ(with_byte(kShape, "head.weight", 48, 1), "F021");
  EXPECT_EQ(with_byte(kShape, "head.weight", -1, 1), "F021");
  EXPECT_EQ(with_byte(kShape, "head.weight", 64 + 32 + 8, 1), "F021");
  // [3, 24] f32: columns 3..7 of each step.
  TinyShape plain = kShape;
  plain.quantized = false;
  EXPECT_EQ(with_byte(plain, "head.weight", 3 * 4, 1), "F021");
  EXPECT_EQ(with_byte(plain, "head.weight", -1, 1), "F021");
}

TEST(FileRules, PaddingAfterATensorIsZero) {
  TinyBert tiny(kShape);
  const auto bias = static_cast<std::size_t>(tensor(tiny.builder, "head.bias"));
  tiny.builder.sections[bias].resize(64);
  EXPECT_EQ(testing::load_error(tiny.file()), "");  // zeros
  tiny.builder.model.tensors[bias]->size = 64;
  EXPECT_EQ(testing::load_error(tiny.file()), "");  // counting the padding of a vector as used is the same file
  tiny.builder.sections[bias][63] = std::byte{1};
  EXPECT_EQ(testing::load_error(tiny.file()), "F021");
}

TEST(FileRules, Contents) {
  EXPECT_EQ(with_byte(kShape, "head.weight", 0, 0x80), "F044");
  TinyBert nan(kShape);
  const float value = std::numeric_limits<float>::infinity();
  std::memcpy(nan.builder.sections[static_cast<std::size_t>(tensor(nan.builder, "head.bias"))].data(), &value, 4);
  EXPECT_EQ(testing::load_error(nan.file()), "F046");
  TinyBert sum(kShape);
  sum.builder.sections[static_cast<std::size_t>(tensor(sum.builder, "head.colsum"))][0] ^= std::byte{1};
  EXPECT_EQ(testing::load_error(sum.file()), "F047");
}

const TinyShape kInt4{.quantized = true, .int4 = true, .tokenizer = true};

TEST(FileRules, PaddingOfInt4IsZero) {
  EXPECT_EQ(testing::load_error(TinyBert(kInt4).file()), "");
  // [3, 24]: row 3 of the panel is padding; of a row's block, columns 24.. are the high nibbles of bytes 8..15.
  EXPECT_EQ(with_byte(kInt4, "head.weight", 48, 0x01), "F021");
  EXPECT_EQ(with_byte(kInt4, "head.weight", -1, 0x10), "F021");
  EXPECT_EQ(with_byte(kInt4, "head.weight", 32 + 8, 0x10), "F021");
  EXPECT_EQ(with_byte(kInt4, "head.weight", 32 + 15, 0x70), "F021");
  EXPECT_EQ(with_byte(kInt4, "head.weight", 32 + 7, 0x77), "F047");  // column 23: not padding, so the sum differs
  // [50, 24] table: the same block in each row.
  EXPECT_EQ(with_byte(kInt4, "word", 49 * 16 + 15, 0x10), "F021");
  EXPECT_EQ(with_byte(kInt4, "word", 16 + 8, 0x10), "F021");
  EXPECT_EQ(with_byte(kInt4, "word", 16 + 7, 0x10), "");
  // [24, 40] in two blocks: the second holds columns 32..39, low nibbles of bytes 0..7.
  EXPECT_EQ(with_byte(kInt4, "layer0.down.weight", 64 + 8, 0x01), "F021");
  EXPECT_EQ(with_byte(kInt4, "layer0.down.weight", 64 + 7, 0x10), "F021");
}

TEST(FileRules, ContentsOfInt4) {
  EXPECT_EQ(with_byte(kInt4, "head.weight", 0, 0x08), "F044");
  EXPECT_EQ(with_byte(kInt4, "head.weight", 0, 0x80), "F044");
  EXPECT_EQ(with_byte(kInt4, "word", 5, 0x18), "F044");
  EXPECT_EQ(with_byte(kInt4, "word", 5, 0x97), "");  // -7 and 7
  TinyBert sum(kInt4);
  sum.builder.sections[static_cast<std::size_t>(tensor(sum.builder, "head.colsum"))][0] ^= std::byte{1};
  EXPECT_EQ(testing::load_error(sum.file()), "F047");
}

// The size that a shape needs, from the definition of the layouts.
TEST(FileRules, SizesOfInt4) {
  const auto bytes = [](fb::Layout layout, uint32_t n, uint32_t k) {
    const uint32_t shape[] = {n, k};
    return format::stored_bytes(fb::DType::I4, layout, shape);
  };
  EXPECT_EQ(bytes(fb::Layout::PackI4N4K32, 1, 1), 64u);
  EXPECT_EQ(bytes(fb::Layout::PackI4N4K32, 5, 33), 256u);
  EXPECT_EQ(bytes(fb::Layout::RowMajorI4, 5, 33), 160u);
  EXPECT_EQ(bytes(fb::Layout::RowMajorI4, 5, 32), 80u);
  EXPECT_EQ(bytes(fb::Layout::RowMajorI4, 0xffffffffu, 0xffffffffu), 0u);
  EXPECT_EQ(bytes(fb::Layout::PackI4N4K32, 0xffffffffu, 0xffffffffu), 0u);
  EXPECT_EQ(bytes(fb::Layout::RowMajor, 4, 32), 0u);
  const uint32_t vector[] = {64}, cube[] = {2, 2, 32};
  EXPECT_EQ(format::stored_bytes(fb::DType::I4, fb::Layout::RowMajorI4, vector), 0u);
  EXPECT_EQ(format::stored_bytes(fb::DType::I4, fb::Layout::RowMajorI4, cube), 0u);
}

// An op cannot take the other kind of int4 tensor, nor int4 without scales.
TEST(FileRules, Int4TensorsInTheRightPlace) {
  const TinyBert tiny(kInt4);
  const auto word = tensor(tiny.builder, "word"), head = tensor(tiny.builder, "head.weight");
  const auto spoiled = [&](const std::function<void(M&)>& spoil) {
    return testing::load_error(tiny.builder.file(spoil));
  };
  EXPECT_EQ(spoiled([&](M& m) { linear(m, "head").weight_t = word; }), "F029");
  EXPECT_EQ(spoiled([&](M& m) { m.ops[0]->body.AsEmbedding()->word_t = head; }), "F029");
  EXPECT_EQ(spoiled([](M& m) { linear(m, "head").input_quant = fb::InputQuant::None; }), "F029");
  EXPECT_EQ(spoiled([](M& m) { linear(m, "head").scale_t = -1; }), "F028");
  EXPECT_EQ(spoiled([](M& m) { m.ops[0]->body.AsEmbedding()->word_scale_t = -1; }), "F028");
}

TEST(FileRules, AnF32MatrixHasNoScales) {
  TinyShape plain = kShape;
  plain.quantized = false;
  const TinyBert tiny(plain);
  EXPECT_EQ(testing::load_error(tiny.builder.file([](M& m) { linear(m, "head").scale_t = linear(m, "head").bias_t; })),
            "F031");
  EXPECT_EQ(testing::load_error(tiny.builder.file([](M& m) { m.ops[0]->body.AsEmbedding()->word_scale_t = 0; })),
            "F031");
}

TEST(FileRules, MoreTokensThanEmbeddingRows) {
  TinyBert tiny(TinyShape{.quantized = false, .tokenizer = true});
  const auto word = static_cast<std::size_t>(tensor(tiny.builder, "word"));
  tiny.builder.model.tensors[word]->shape[0] = 49;
  tiny.builder.sections[word].resize(49 * 24 * 4);
  tiny.builder.model.tensors[word]->size = 49 * 24 * 4;
  EXPECT_EQ(testing::load_error(tiny.file()), "F043");
}

// A model of one embedding and one pool, then a linear of the given sizes.
std::string one_linear(uint32_t n, uint32_t k, uint32_t max_tokens) {
  StillBuilder builder;
  builder.token_ids(max_tokens);
  const uint32_t x = builder.value("x", fb::Rows::Tokens, k), pooled = builder.value("pooled", fb::Rows::Sequences, k),
                 y = builder.value("y", fb::Rows::Sequences, n);
  fb::EmbeddingT table;
  table.word_t = builder.f32("word", {1, k}, std::vector<float>(k));
  table.position_t = builder.f32("position", {max_tokens, k}, std::vector<float>(std::size_t{max_tokens} * k));
  builder.op("embedding", std::move(table), {}, x);
  builder.op("pool", fb::PoolT{}, {x}, pooled);
  fb::LinearT linear;
  linear.weight_t = builder.packed_f32("w", n, k, std::vector<float>(std::size_t{n} * k));
  builder.op("linear", std::move(linear), {pooled}, y);
  builder.head("score", y, fb::ScoreT{});
  return testing::load_error(builder.file());
}

TEST(FileRules, OfANormalization) {
  const auto spoilt = [](auto spoil) {
    const TinyBert tiny(TinyShape{.normalized = true});
    return testing::load_error(tiny.builder.file(spoil));
  };
  const auto eps = [&](float value) {
    return spoilt([&](M& m) { op(m, "normalize").body.AsNormalize()->eps = value; });
  };
  EXPECT_EQ(spoilt([](M&) {}), "");
  EXPECT_EQ(spoilt([](M& m) { op(m, "normalize").inputs.clear(); }), "F023");
  EXPECT_EQ(spoilt([](M& m) { m.values.back()->width -= 1; }), "F030");
  EXPECT_EQ(spoilt([](M& m) { m.values.back()->rows = fb::Rows::Tokens; }), "F030");
  EXPECT_EQ(spoilt([](M& m) { op(m, "normalize").inputs[0] = 0; }), "F030");  // of tokens
  EXPECT_EQ(eps(0), "F033");
  EXPECT_EQ(eps(std::numeric_limits<float>::quiet_NaN()), "F033");
  EXPECT_EQ(eps(2), "F033");
}

TEST(FileRules, Limits) {
  EXPECT_EQ(one_linear(1, 32768, 3), "");
  EXPECT_EQ(one_linear(1, 32769, 3), "F034");
}

TEST(FileRules, FilesThatCannotBeRead) {
  const auto open = [](const std::string& path) -> std::string {
    try {
      Model::load(path, 1);
      return "";
    } catch (const Error& error) {
      return error.code;
    }
  };
  EXPECT_EQ(open("/no/such/file.still"), "F001");
  EXPECT_EQ(open(::testing::TempDir()), "F001");
  EXPECT_EQ(open("/dev/null"), "F001");
  const std::string path = ::testing::TempDir() + "potstill_validate_" + std::to_string(getpid()) + ".still";
  std::ofstream(path, std::ios::binary).flush();
  EXPECT_EQ(open(path), "F002");
  const Bytes good = TinyBert(kShape).file();
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(good.data()), static_cast<std::streamsize>(good.size()));
  EXPECT_EQ(open(path), "");
  std::remove(path.c_str());
}

TEST(Messages, NameTheFileTheThingAndTheNextStep) {
  const TinyBert tiny(kShape);
  const Bytes file = tiny.builder.file([](M& m) { m.tensors[0]->name = "w\x01\xff", m.tensors[0]->xxh64 = 0; });
  try {
    Model::from_memory(file, 1, "models/a.still");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(
        std::string(error.what()),
        "error[F020]: its checksum is wrong, the file is damaged; models/a.still: tensor 'w?\?'; copy or download the "
        "file again, or compile it again with potstill compile");
  }
}

}  // namespace
}  // namespace potstill
