// Text to ids, as Hugging Face `tokenizers` gives them: added tokens are cut out of the raw text, the rest goes through
// the splitter and the model. The ids equal those of `Tokenizer.encode(text).ids` for every text; see README.md.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "tokenizer/added.h"
#include "tokenizer/models/model.h"
#include "tokenizer/splitter.h"
#include "tokenizer/template.h"
#include "tokenizer/vocabulary.h"

namespace potstill::tokenizer {

class Tokenizer {
 public:
  // Checked ones: load.h. What the vocabulary views must outlive the tokenizer.
  struct Parts {
    Vocabulary vocabulary;
    std::vector<std::uint32_t> added_ids;
    std::unique_ptr<const Splitter> splitter;
    std::unique_ptr<const Model> model;
    Template around;
    std::uint32_t pad_id = 0;
  };

  // nullptr when the ids of added and special tokens are in the vocabulary, which must be sound, else a text.
  static const char* problem(const Parts& parts) noexcept;

  explicit Tokenizer(Parts parts);

  // Appends the ids of a text, without special tokens around it; never truncates. Invalid UTF-8 is read as Python's
  // bytes.decode("utf-8", "replace") reads it: U+FFFD for every maximal invalid part. Safe to call from many threads at
  // once, in linear time. Throws std::bad_alloc only.
  void encode(std::string_view utf8, std::vector<std::int32_t>& out) const;

  // The same with special tokens.
  std::vector<std::int32_t> encode(std::string_view utf8) const;

  const Vocabulary& vocabulary() const noexcept { return parts_.vocabulary; }
  const Template& around() const noexcept { return parts_.around; }
  std::int32_t unk_id() const noexcept { return parts_.model->unk_id(); }

  // The padding token, or -1 when texts begin or end with it: padding cannot be told from text then.
  std::int32_t padding() const noexcept;

  // Whether a sequence (not empty) is filled up with it: behind a text, or before its first special token.
  bool padded(std::span<const std::int32_t> ids) const noexcept;

 private:
  Parts parts_;
  AddedTokens added_;
};

}  // namespace potstill::tokenizer
