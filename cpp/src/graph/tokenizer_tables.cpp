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

}  // namespace

std::optional<tokenizer::WordPieceTokenizer> read_tokenizer(const format::File& file, uint32_t vocabulary) {
  const fb::WordPiece* header = file.model->tokenizer();
  if (header == nullptr) return std::nullopt;
  const format::Tensor& blob = table(file, header->blob_t(), "blob", fb::DType::U8);
  const format::Tensor& offsets = table(file, header->offsets_t(), "offsets", fb::DType::I32);
  const format::Tensor& slots = table(file, header->slots_t(), "slots", fb::DType::I32);
  tokenizer::WordPieceView view;
  view.blob = {blob.as<char>(), blob.shape[0]};
  view.offsets = {offsets.as<int32_t>(), offsets.shape[0]};
  view.slots = {slots.as<int32_t>(), slots.shape[0]};
  if (header->added_ids() != nullptr) view.added_ids = {header->added_ids()->data(), header->added_ids()->size()};
  if (header->continuing_prefix() != nullptr) {
    view.continuing_prefix = {header->continuing_prefix()->c_str(), header->continuing_prefix()->size()};
  }
  view.unk_id = header->unk_id();
  view.cls_id = header->cls_id();
  view.sep_id = header->sep_id();
  view.pad_id = header->pad_id();
  view.max_chars_per_word = header->max_chars_per_word();
  view.lowercase = header->lowercase();
  view.strip_accents = header->strip_accents();
  view.clean_text = header->clean_text();
  view.handle_chinese_chars = header->handle_chinese_chars();
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
