// _core.Tokenizer: the tokenizer of a file by itself, whatever its graph. The compiler's tests use it to compare ids
// with Hugging Face tokenizers on text of every kind.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "format/reader.h"
#include "potstill/error.h"
#include "tokenizer/load.h"

namespace potstill::bindings {

class FileTokenizer {
 public:
  explicit FileTokenizer(std::string_view file)
      : file_(format::read(format::Mapping::copy(std::as_bytes(std::span(file))), "memory")),
        tokenizer_(loaded(file_)) {}

  FileTokenizer(const FileTokenizer&) = delete;  // the tokenizer points into the file
  FileTokenizer& operator=(const FileTokenizer&) = delete;

  using Places = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

  std::vector<std::int32_t> encode(std::string_view text) const { return tokenizer_.encode(text); }

  std::pair<std::vector<std::int32_t>, Places> encode_with_offsets(std::string_view text) const {
    std::vector<tokenizer::Placed> tokens;
    tokenizer_.encode(text, tokens);
    tokenizer_.trim(tokens);
    std::pair<std::vector<std::int32_t>, Places> found;
    for (const tokenizer::Placed& token : tokens) {
      found.first.push_back(token.id);
      found.second.emplace_back(token.begin, token.end);
    }
    return found;
  }

  std::int32_t find(std::string_view piece) const { return tokenizer_.vocabulary().find(piece); }

 private:
  static tokenizer::Tokenizer loaded(format::File& file) {
    std::optional<tokenizer::Tokenizer> found = tokenizer::load(file, UINT32_MAX, 1);
    if (!found) throw Error("I005", "the model file holds no tokenizer", "memory", "compile it with --tokenizer");
    return std::move(*found);
  }

  format::File file_;
  tokenizer::Tokenizer tokenizer_;
};

inline void bind_tokenizer(pybind11::module_& m) {
  namespace py = pybind11;
  py::class_<FileTokenizer>(m, "Tokenizer", "The tokenizer of a .still file, given as bytes, whose graph is not read.")
      .def(py::init<std::string_view>(), py::arg("file"))
      .def("encode", &FileTokenizer::encode, py::arg("text"),
           "Ids of the text with special tokens. `text` is str, or bytes read as UTF-8 with errors=\"replace\".")
      .def("encode_with_offsets", &FileTokenizer::encode_with_offsets, py::arg("text"),
           "Ids without special tokens, and for each (begin, end) in characters of the text.")
      .def("find", &FileTokenizer::find, py::arg("piece"), "Id of a piece of the vocabulary, or -1.");
}

}  // namespace potstill::bindings
