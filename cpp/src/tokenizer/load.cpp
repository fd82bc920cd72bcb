#include "tokenizer/load.h"

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "format/fail.h"
#include "tokenizer/fused_bert.h"
#include "tokenizer/models/bpe.h"
#include "tokenizer/models/unigram.h"
#include "tokenizer/models/wordlevel.h"
#include "tokenizer/models/wordpiece.h"
#include "tokenizer/normalizers/bert.h"
#include "tokenizer/normalizers/lowercase.h"
#include "tokenizer/normalizers/nmt.h"
#include "tokenizer/normalizers/precompiled.h"
#include "tokenizer/normalizers/prepend.h"
#include "tokenizer/normalizers/replace.h"
#include "tokenizer/normalizers/strip.h"
#include "tokenizer/normalizers/strip_accents.h"
#include "tokenizer/normalizers/unicode_form.h"
#include "tokenizer/pre_tokenizers/bert.h"
#include "tokenizer/pre_tokenizers/byte_level.h"
#include "tokenizer/pre_tokenizers/digits.h"
#include "tokenizer/pre_tokenizers/metaspace.h"
#include "tokenizer/pre_tokenizers/punctuation.h"
#include "tokenizer/pre_tokenizers/split.h"
#include "tokenizer/pre_tokenizers/whitespace.h"

namespace potstill::tokenizer {
namespace {

// ---- What this core runs: one row each.

struct NormalizerRow {
  fb::NormalizerBody kind;
  std::unique_ptr<const Normalizer> (*make)(const Load& load, const fb::Normalizer& header);
};

constexpr NormalizerRow kNormalizers[] = {
    {fb::NormalizerBody::BertNormalizer, BertNormalizer::make},
    {fb::NormalizerBody::Unicode, UnicodeForm::make},
    {fb::NormalizerBody::Lowercase, Lowercase::make},
    {fb::NormalizerBody::StripAccents, StripAccents::make},
    {fb::NormalizerBody::Strip, Strip::make},
    {fb::NormalizerBody::Prepend, Prepend::make},
    {fb::NormalizerBody::Nmt, Nmt::make},
    {fb::NormalizerBody::Precompiled, Precompiled::make},
    {fb::NormalizerBody::Replace, Replace::make},
};

struct PreTokenizerRow {
  fb::PreTokenizerBody kind;
  std::unique_ptr<const PreTokenizer> (*make)(const Load& load, const fb::PreTokenizer& header);
};

constexpr PreTokenizerRow kPreTokenizers[] = {
    {fb::PreTokenizerBody::BertPreTokenizer, BertPreTokenizer::make},
    {fb::PreTokenizerBody::ByteLevel, ByteLevel::make},
    {fb::PreTokenizerBody::Digits, Digits::make},
    {fb::PreTokenizerBody::Metaspace, Metaspace::make},
    {fb::PreTokenizerBody::Punctuation, Punctuation::make},
    {fb::PreTokenizerBody::Split, Split::make},
    {fb::PreTokenizerBody::Whitespace, Whitespace::make},
    {fb::PreTokenizerBody::WhitespaceSplit, WhitespaceSplit::make},
};

struct ModelRow {
  fb::TokenizerModel kind;
  std::unique_ptr<const Model> (*make)(const Load& load, const Vocabulary& vocabulary);
};

constexpr ModelRow kModels[] = {
    {fb::TokenizerModel::WordPiece, WordPiece::make},
    {fb::TokenizerModel::Bpe, Bpe::make},
    {fb::TokenizerModel::Unigram, Unigram::make},
    {fb::TokenizerModel::WordLevel, WordLevel::make},
};

// ----

constexpr std::size_t kMaxGrowth = 1 << 16;

template <typename Row, typename Kind>
const Row& row_of(const Load& load, std::span<const Row> rows, Kind kind, const void* body, const char* what) {
  for (const Row& row : rows) {
    if (row.kind == kind && body != nullptr) return row;
  }
  load.cannot_run(what);
}

// The steps of a list, each by its row.
template <typename Step, typename Row>
std::vector<std::unique_ptr<const Step>> read_steps(const Load& load, const auto* headers, std::span<const Row> rows,
                                                    const char* what) {
  std::vector<std::unique_ptr<const Step>> steps;
  if (headers == nullptr) return steps;
  for (const auto* header : *headers) {
    steps.push_back(row_of(load, rows, header->body_type(), header->body(), what).make(load, *header));
  }
  return steps;
}

std::vector<std::unique_ptr<const Normalizer>> read_normalizers(const Load& load) {
  auto steps = read_steps<Normalizer>(load, load.header().normalizers(), std::span<const NormalizerRow>(kNormalizers),
                                      "normalizers");
  std::size_t growth = 1;  // ALBERT's six come to 6,120
  for (const auto& step : steps) {
    growth *= step->growth();
    if (growth > kMaxGrowth) load.refuse("the normalizers together may make 65,536 times a text of it");
  }
  return steps;
}

std::vector<std::unique_ptr<const PreTokenizer>> read_pre_tokenizers(const Load& load) {
  const auto* headers = load.header().pre_tokenizers();
  // It writes two bytes for each that is not ASCII: a list of them would be 2^kMaxSteps times the text.
  const auto is_bytes = [](const fb::PreTokenizer* header) {
    return header->body_type() == fb::PreTokenizerBody::ByteLevel;
  };
  if (headers != nullptr && std::count_if(headers->begin(), headers->end(), is_bytes) > 1) {
    load.refuse("ByteLevel is more than once among the pre-tokenizers");
  }
  return read_steps<PreTokenizer>(load, headers, std::span<const PreTokenizerRow>(kPreTokenizers), "pre-tokenizers");
}

// BertNormalizer (or nothing) and BertPreTokenizer in one pass.
std::unique_ptr<const Splitter> read_fused(const Load& load) {
  const auto* normalizers = load.header().normalizers();
  const auto* pre = load.header().pre_tokenizers();
  if (load.header().added() != nullptr) {
    for (const fb::AddedToken* token : *load.header().added()) {
      if (token->normalized() != nullptr) return nullptr;
    }
  }
  const std::size_t count = normalizers == nullptr ? 0 : normalizers->size();
  if (count > 1 || pre == nullptr || pre->size() != 1) return nullptr;
  if (pre->Get(0)->body_type() != fb::PreTokenizerBody::BertPreTokenizer) return nullptr;
  if (count == 0) return std::make_unique<FusedBert>(BertOptions{false, false, false, false});
  const fb::Normalizer& normalizer = *normalizers->Get(0);
  if (normalizer.body_type() != fb::NormalizerBody::BertNormalizer) return nullptr;
  return std::make_unique<FusedBert>(BertNormalizer::options(normalizer));
}

// The added tokens that are looked for in raw text, or in normalized text.
AddedTokens read_added(const Load& load, const Vocabulary& vocabulary, bool normalized) {
  std::vector<AddedToken> tokens;
  if (load.header().added() != nullptr) {
    for (const fb::AddedToken* token : *load.header().added()) {
      if ((token->normalized() != nullptr) != normalized) continue;
      if (token->id() >= vocabulary.size()) load.refuse("an added token's id is outside the vocabulary");
      tokens.push_back({static_cast<std::int32_t>(token->id()),
                        normalized ? token->normalized()->string_view() : vocabulary.piece(token->id()),
                        token->left_strip(), token->right_strip(), token->single_word()});
    }
  }
  load.refuse(AddedTokens::problem(tokens));
  return AddedTokens(std::move(tokens));
}

Template::Parts parts_of(const flatbuffers::Vector<const fb::TemplatePart*>* list) {
  Template::Parts parts;
  if (list != nullptr) {
    for (const fb::TemplatePart* part : *list) parts.push_back(*part);
  }
  return parts;
}

Template read_template(const Load& load, std::size_t pieces, std::uint32_t types) {
  Template around{parts_of(load.header().single()), parts_of(load.header().pair())};
  load.refuse(around.problem(pieces));
  if (types >= 2 && around.pair.empty()) load.refuse("the model reads pairs, the tokenizer has no template for them");
  if (types < 2) {
    for (const fb::TemplatePart& part : around.single) {
      if (part.type() != 0) load.refuse("a template has token types, the model has none");
    }
  }
  return around;
}

Vocabulary read_vocabulary(const Load& load) {
  const fb::Vocabulary& header = *load.header().vocabulary();
  const format::Tensor& text = load.table(header.text_t(), "text", fb::DType::U8);
  const format::Tensor& offsets = load.table(header.offsets_t(), "offsets", fb::DType::I32);
  const format::Tensor& slots = load.table(header.slots_t(), "slots", fb::DType::I32);
  const Vocabulary vocabulary{{text.as<char>(), text.shape[0]},
                              {offsets.as<std::int32_t>(), offsets.shape[0]},
                              {slots.as<std::int32_t>(), slots.shape[0]}};
  load.refuse(vocabulary.problem());
  return vocabulary;
}

}  // namespace

const format::Tensor& Load::table(std::int32_t index, const char* field, fb::DType dtype) const {
  const auto wrong = [&](const char* what) { format::fail("F039", what, file_.where + ": tokenizer " + field); };
  if (index < 0 || static_cast<std::size_t>(index) >= file_.tensors.size()) {
    wrong("the table is absent or not in the file");
  }
  const format::Tensor& tensor = file_.tensors[static_cast<std::size_t>(index)];
  if (tensor.dtype != dtype || tensor.layout != fb::Layout::RowMajor || tensor.shape.size() != 1) {
    wrong("the table has another dtype, layout or shape");
  }
  file_.budget.step(3 * tensor.data.size(), file_.where);  // the checks, and what a model looks up once
  return tensor;
}

void Load::refuse(const char* problem) const {
  if (problem != nullptr) format::fail("F040", problem, file_.where + ": tokenizer");
}

void Load::cannot_run(const char* what) const {
  format::fail("F067", std::string("this potstill cannot run the file's ") + what, file_.where + ": tokenizer",
               format::kUpdate);
}

std::optional<Tokenizer> load(format::File& file, std::uint32_t vocabulary, std::uint32_t types) {
  if (file.model->tokenizer() == nullptr) return std::nullopt;
  const fb::Tokenizer& header = *file.model->tokenizer();
  const Load load(file, header);
  const ModelRow& model =
      row_of(load, std::span<const ModelRow>(kModels), header.model_type(), header.model(), "tokenizer model");
  const Vocabulary pieces = read_vocabulary(load);
  if (pieces.size() > vocabulary) {
    format::fail("F043",
                 std::to_string(pieces.size()) + " pieces, but only " + std::to_string(vocabulary) + " embedding rows",
                 file.where + ": tokenizer");
  }
  if (header.pad_id() < -1 || header.pad_id() >= static_cast<std::int32_t>(pieces.size())) {
    load.refuse("the id of a special token is outside the vocabulary");
  }
  return Tokenizer({
      .vocabulary = pieces,
      .raw = read_added(load, pieces, false),
      .normalized = read_added(load, pieces, true),
      .normalizers = read_normalizers(load),
      .pre_tokenizers = read_pre_tokenizers(load),
      .model = model.make(load, pieces),
      .fused = read_fused(load),
      .around = read_template(load, pieces.size(), types),
      .pad_id = header.pad_id(),
      .truncate_left = header.truncate_left(),
      .trim_offsets = header.trim_offsets(),
      .trim_prefix_space = header.trim_prefix_space(),
  });
}

}  // namespace potstill::tokenizer
