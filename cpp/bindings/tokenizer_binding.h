// _core.WordPieceTokenizer: the core's tokenizer over tables given from Python, without a model file. The compiler's
// tests use it to compare ids with Hugging Face tokenizers on text of every kind.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/wordpiece.h"

namespace potstill::bindings {

// Owns the tables that the tokenizer only views.
class OwningTokenizer {
 public:
  OwningTokenizer(std::string blob, std::vector<std::int32_t> offsets, std::vector<std::int32_t> slots,
                  std::vector<std::uint32_t> added_ids, std::string continuing_prefix, tokenizer::WordPieceView view)
      : blob_(std::move(blob)),
        offsets_(std::move(offsets)),
        slots_(std::move(slots)),
        added_ids_(std::move(added_ids)),
        prefix_(std::move(continuing_prefix)),
        tokenizer_(checked(view)) {}

  OwningTokenizer(const OwningTokenizer&) = delete;
  OwningTokenizer& operator=(const OwningTokenizer&) = delete;

  std::vector<std::int32_t> encode(std::string_view text) const { return tokenizer_.encode(text); }
  std::int32_t find(std::string_view piece) const { return tokenizer_.find(piece); }

 private:
  const tokenizer::WordPieceView& checked(tokenizer::WordPieceView& view) const {
    view.blob = blob_;
    view.offsets = offsets_;
    view.slots = slots_;
    view.added_ids = added_ids_;
    view.continuing_prefix = prefix_;
    if (const char* text = tokenizer::problem(view)) throw std::invalid_argument(text);
    return view;
  }

  std::string blob_;
  std::vector<std::int32_t> offsets_;
  std::vector<std::int32_t> slots_;
  std::vector<std::uint32_t> added_ids_;
  std::string prefix_;
  tokenizer::WordPieceTokenizer tokenizer_;
};

inline void bind_tokenizer(pybind11::module_& m) {
  namespace py = pybind11;
  const auto make = [](const py::bytes& blob, std::vector<std::int32_t> offsets, std::vector<std::int32_t> slots,
                       std::uint32_t unk_id, std::uint32_t cls_id, std::uint32_t sep_id, std::uint32_t pad_id,
                       bool lowercase, bool strip_accents, bool clean_text, bool handle_chinese_chars,
                       std::string continuing_prefix, std::uint32_t max_chars_per_word,
                       std::vector<std::uint32_t> added_ids) {
    tokenizer::WordPieceView view;
    view.unk_id = unk_id;
    view.cls_id = cls_id;
    view.sep_id = sep_id;
    view.pad_id = pad_id;
    view.lowercase = lowercase;
    view.strip_accents = strip_accents;
    view.clean_text = clean_text;
    view.handle_chinese_chars = handle_chinese_chars;
    view.max_chars_per_word = max_chars_per_word;
    return std::make_unique<OwningTokenizer>(std::string(blob), std::move(offsets), std::move(slots),
                                             std::move(added_ids), std::move(continuing_prefix), view);
  };
  py::class_<OwningTokenizer>(m, "WordPieceTokenizer",
                              "The core's tokenizer over tables of potstill.compile.tokenizers.wordpiece. "
                              "Unsound tables raise ValueError.")
      .def(py::init(make), py::arg("blob"), py::arg("offsets"), py::arg("slots"), py::kw_only(), py::arg("unk_id"),
           py::arg("cls_id"), py::arg("sep_id"), py::arg("pad_id"), py::arg("lowercase"), py::arg("strip_accents"),
           py::arg("clean_text"), py::arg("handle_chinese_chars"), py::arg("continuing_prefix") = "##",
           py::arg("max_chars_per_word") = 100, py::arg("added_ids") = std::vector<std::uint32_t>{})
      .def("encode", &OwningTokenizer::encode, py::arg("text"),
           "Ids of [CLS] text [SEP]. `text` is str, or bytes read as UTF-8 with errors=\"replace\".")
      .def("find", &OwningTokenizer::find, py::arg("piece"), "Id of a piece of the vocabulary, or -1.");
}

}  // namespace potstill::bindings
