#include "graph/tokenizer_tables.h"

#include <string>

#include "format/fail.h"

namespace potstill::graph {
namespace {

const format::Tensor& table(const format::File& file, int32_t index, const char* field, fb::DType dtype) {
  const std::string place = file.where + ": tokenizer " + field;
  if (index < 0 || static_cast<std::size_t>(index) >= file.tensors.size()) {
    format::fail("F039", "the table is absent or not in the file", place);
  }
  const format::Tensor& tensor = file.tensors[static_cast<std::size_t>(index)];
  if (tensor.dtype != dtype || tensor.layout != fb::Layout::RowMajor || tensor.shape.size() != 1) {
    format::fail("F039", "the table has another dtype, layout or shape", place);
  }
  return tensor;
}

[[noreturn]] void cannot_run(const format::File& file, const char* what) {
  format::fail("F067", std::string("this potstill cannot run the file's ") + what, file.where + ": tokenizer",
               format::kUpdate);
}

bool is(const fb::TemplatePart& part, fb::Part kind, uint8_t type) {
  return part.part() == kind && part.type() == type;
}

// [CLS] first [SEP], and of pairs [CLS] first [SEP] second [SEP], the token type 1 from the second text on.
void read_template(const format::File& file, const fb::Tokenizer& header, uint32_t types,
                   tokenizer::WordPieceView& view) {
  using enum fb::Part;
  const auto* single = header.single();
  if (single == nullptr || single->size() != 3 || !is(*single->Get(0), Id, 0) || !is(*single->Get(1), First, 0) ||
      !is(*single->Get(2), Id, 0)) {
    cannot_run(file, "template of special tokens");
  }
  view.cls_id = single->Get(0)->id();
  view.sep_id = single->Get(2)->id();
  const auto* pair = header.pair();
  if (pair == nullptr && types < 2) return;
  if (pair == nullptr || pair->size() != 5 || !is(*pair->Get(0), Id, 0) || !is(*pair->Get(1), First, 0) ||
      !is(*pair->Get(2), Id, 0) || !is(*pair->Get(3), Second, 1) || !is(*pair->Get(4), Id, 1) ||
      pair->Get(0)->id() != view.cls_id || pair->Get(2)->id() != view.sep_id || pair->Get(4)->id() != view.sep_id) {
    cannot_run(file, "template of pairs");
  }
}

void read_steps(const format::File& file, const fb::Tokenizer& header, tokenizer::WordPieceView& view) {
  const auto* normalizers = header.normalizers();
  const auto* bert =
      normalizers == nullptr || normalizers->size() != 1 ? nullptr : normalizers->Get(0)->body_as_BertNormalizer();
  if (bert == nullptr) cannot_run(file, "normalizers");
  view.lowercase = bert->lowercase();
  view.strip_accents = bert->strip_accents();
  view.clean_text = bert->clean_text();
  view.handle_chinese_chars = bert->handle_chinese_chars();
  const auto* words = header.pre_tokenizers();
  if (words == nullptr || words->size() != 1 || words->Get(0)->body_as_BertPreTokenizer() == nullptr) {
    cannot_run(file, "pre-tokenizers");
  }
  const fb::WordPiece* model = header.model_as_WordPiece();
  if (model == nullptr) cannot_run(file, "tokenizer model");
  view.unk_id = model->unk_id();
  view.max_chars_per_word = model->max_chars_per_word();
  view.continuing_prefix =
      model->continuing_prefix() == nullptr ? std::string_view() : model->continuing_prefix()->string_view();
}

}  // namespace

std::optional<tokenizer::WordPieceTokenizer> read_tokenizer(format::File& file, uint32_t vocabulary, uint32_t types,
                                                            std::vector<uint32_t>& added) {
  const fb::Tokenizer* header = file.model->tokenizer();
  if (header == nullptr) return std::nullopt;
  tokenizer::WordPieceView view;
  read_steps(file, *header, view);
  read_template(file, *header, types, view);
  view.pad_id = header->pad_id();
  if (header->added() != nullptr) {
    for (const fb::AddedToken* token : *header->added()) {
      if (token->left_strip() || token->right_strip() || token->single_word() || token->normalized()) {
        cannot_run(file, "added tokens");
      }
      added.push_back(token->id());
    }
  }
  view.added_ids = added;
  const fb::Vocabulary& pieces = *header->vocabulary();
  const format::Tensor& text = table(file, pieces.text_t(), "text", fb::DType::U8);
  const format::Tensor& offsets = table(file, pieces.offsets_t(), "offsets", fb::DType::I32);
  const format::Tensor& slots = table(file, pieces.slots_t(), "slots", fb::DType::I32);
  view.blob = {text.as<char>(), text.shape[0]};
  view.offsets = {offsets.as<int32_t>(), offsets.shape[0]};
  view.slots = {slots.as<int32_t>(), slots.shape[0]};
  for (const format::Tensor* read : {&text, &offsets, &slots}) file.budget.step(3 * read->data.size(), file.where);
  if (const char* problem = tokenizer::problem(view); problem != nullptr) {
    format::fail("F040", problem, file.where + ": tokenizer");
  }
  if (view.offsets.size() - 1 > vocabulary) {
    format::fail(
        "F043",
        std::to_string(view.offsets.size() - 1) + " pieces, but only " + std::to_string(vocabulary) + " embedding rows",
        file.where + ": tokenizer");
  }
  return tokenizer::WordPieceTokenizer(view);
}

}  // namespace potstill::graph
