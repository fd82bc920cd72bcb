// The tokenizer of a file: its tables checked, used in place.
#pragma once

#include <cstdint>
#include <optional>

#include "format/reader.h"
#include "tokenizer/tokenizer.h"

namespace potstill::tokenizer {

// What the makers of steps and models read, and how they refuse it.
class Load {
 public:
  Load(format::File& file, const fb::Tokenizer& header) : file_(file), header_(header) {}

  const fb::Tokenizer& header() const noexcept { return header_; }

  // A table of one dimension. Throws Error F039 (it is missing or of another kind), F066.
  const format::Tensor& table(std::int32_t index, const char* field, fb::DType dtype) const;

  // Throws Error F040 unless `problem` is null.
  void refuse(const char* problem) const;

  // Throws Error F067.
  [[noreturn]] void cannot_run(const char* what) const;

 private:
  format::File& file_;
  const fb::Tokenizer& header_;
};

// nullopt when the file has none. The tokenizer points into `file`.
// Throws Error F039 (a table is missing or of the wrong kind), F040 (tables unsound), F043 (more pieces than the model
// has embedding rows, `vocabulary`), F067 (steps that this core does not run). The model has `types` token types.
std::optional<Tokenizer> load(format::File& file, std::uint32_t vocabulary, std::uint32_t types);

}  // namespace potstill::tokenizer
