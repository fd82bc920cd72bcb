#include "tokenizer/load.h"

#include <string>
#include <utility>

#include "format/fail.h"
#include "tokenizer/bert.h"
#include "tokenizer/models/wordpiece.h"

namespace potstill::tokenizer {
namespace {

// ---- What this core runs: one row each.

struct ModelRow {
  fb::TokenizerModel kind;
  std::unique_ptr<const Model> (*make)(const Load& load, const Vocabulary& vocabulary);
};

constexpr ModelRow kModels[] = {
    {fb::TokenizerModel::WordPiece, WordPiece::make},
};

struct SplitterRow {
  fb::NormalizerBody normalizer;
  fb::PreTokenizerBody pre_tokenizer;
  std::unique_ptr<const Splitter> (*make)(const Load& load);
};

constexpr SplitterRow kSplitters[] = {
    {fb::NormalizerBody::BertNormalizer, fb::PreTokenizerBody::BertPreTokenizer, Bert::make},
};

// ----

const ModelRow& model_row(const Load& load) {
  for (const ModelRow& row : kModels) {
    if (row.kind == load.header().model_type() && load.header().model() != nullptr) return row;
  }
  load.cannot_run("tokenizer model");
}

// The kind of the one step of a list.
template <typename Kind>
Kind only_step(const Load& load, const auto* steps, const char* what) {
  if (steps == nullptr || steps->size() != 1 || steps->Get(0)->body() == nullptr) load.cannot_run(what);
  return steps->Get(0)->body_type();
}

const SplitterRow& splitter_row(const Load& load) {
  const auto normalizer = only_step<fb::NormalizerBody>(load, load.header().normalizers(), "normalizers");
  const auto pre = only_step<fb::PreTokenizerBody>(load, load.header().pre_tokenizers(), "pre-tokenizers");
  for (const SplitterRow& row : kSplitters) {
    if (row.normalizer == normalizer && row.pre_tokenizer == pre) return row;
  }
  load.cannot_run("normalizers with its pre-tokenizers");
}

std::vector<std::uint32_t> read_added(const Load& load) {
  std::vector<std::uint32_t> ids;
  if (load.header().added() == nullptr) return ids;
  for (const fb::AddedToken* token : *load.header().added()) {
    if (token->left_strip() || token->right_strip() || token->single_word() || token->normalized()) {
      load.cannot_run("added tokens");
    }
    ids.push_back(token->id());
  }
  return ids;
}

Template::Parts parts_of(const flatbuffers::Vector<const fb::TemplatePart*>* list) {
  Template::Parts parts;
  if (list != nullptr) {
    for (const fb::TemplatePart* part : *list) parts.push_back(*part);
  }
  return parts;
}

bool is(const fb::TemplatePart& part, fb::Part kind, std::uint8_t type) {
  return part.part() == kind && part.type() == type;
}

// [CLS] first [SEP], and of pairs [CLS] first [SEP] second [SEP], the token type 1 from the second text on.
Template read_template(const Load& load, std::uint32_t types) {
  using enum fb::Part;
  Template around{parts_of(load.header().single()), parts_of(load.header().pair())};
  const auto& [single, pair] = around;
  if (single.size() != 3 || !is(single[0], Id, 0) || !is(single[1], First, 0) || !is(single[2], Id, 0)) {
    load.cannot_run("template of special tokens");
  }
  if (load.header().pair() == nullptr && types < 2) return around;
  if (pair.size() != 5 || !is(pair[0], Id, 0) || !is(pair[1], First, 0) || !is(pair[2], Id, 0) ||
      !is(pair[3], Second, 1) || !is(pair[4], Id, 1) || pair[0].id() != single[0].id() ||
      pair[2].id() != single[2].id() || pair[4].id() != single[2].id()) {
    load.cannot_run("template of pairs");
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
  const Load load(file, *file.model->tokenizer());
  const SplitterRow& splitter = splitter_row(load);
  const ModelRow& model = model_row(load);
  Tokenizer::Parts parts;
  parts.around = read_template(load, types);
  parts.added_ids = read_added(load);
  parts.pad_id = load.header().pad_id();
  parts.vocabulary = read_vocabulary(load);
  if (parts.vocabulary.size() > vocabulary) {
    format::fail(
        "F043",
        std::to_string(parts.vocabulary.size()) + " pieces, but only " + std::to_string(vocabulary) + " embedding rows",
        file.where + ": tokenizer");
  }
  load.refuse(Tokenizer::problem(parts));
  parts.splitter = splitter.make(load);
  parts.model = model.make(load, parts.vocabulary);
  return Tokenizer(std::move(parts));
}

}  // namespace potstill::tokenizer
