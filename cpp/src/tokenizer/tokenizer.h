// Text to ids in the stages of Hugging Face `tokenizers`. The ids and places equal those of `Tokenizer.encode(text)`
// for every text; see README.md.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "tokenizer/added.h"
#include "tokenizer/models/model.h"
#include "tokenizer/normalizers/normalizer.h"
#include "tokenizer/pre_tokenizers/pre_tokenizer.h"
#include "tokenizer/splitter.h"
#include "tokenizer/template.h"
#include "tokenizer/trim.h"
#include "tokenizer/vocabulary.h"

namespace potstill::tokenizer {

class Tokenizer {
 public:
  // Checked ones: load.h. What the vocabulary views must outlive the tokenizer.
  struct Parts {
    Vocabulary vocabulary;
    AddedTokens raw, normalized;  // looked for before the normalizers, and behind them
    std::vector<std::unique_ptr<const Normalizer>> normalizers;
    std::vector<std::unique_ptr<const PreTokenizer>> pre_tokenizers;
    std::unique_ptr<const Model> model;
    std::unique_ptr<const Splitter> fused;  // the same as the stages; may be absent
    Template around;
    std::int32_t pad_id = -1;  // none
    bool truncate_left = false;
    bool trim_offsets = false, trim_prefix_space = false;  // trim.h
  };

  explicit Tokenizer(Parts parts);

  // Appends the ids of a text, without special tokens around it; never truncates. Invalid UTF-8 is read as Python's
  // bytes.decode("utf-8", "replace") reads it: U+FFFD for every maximal invalid part. Safe to call from many threads at
  // once, in linear time. Throws Error I022 (4 GiB or more), std::bad_alloc.
  void encode(std::string_view utf8, std::vector<std::int32_t>& out) const;

  // Appends the tokens with their places: characters [begin, end) of the text, invalid parts being one each.
  void encode(std::string_view utf8, std::vector<Placed>& out) const;

  // What the post-processor does to the places of a text's tokens, cut to a limit or whole.
  void trim(std::span<Placed> tokens) const noexcept;

  // Ids with special tokens.
  std::vector<std::int32_t> encode(std::string_view utf8) const;

  const Vocabulary& vocabulary() const noexcept { return parts_.vocabulary; }
  const Template& around() const noexcept { return parts_.around; }
  std::int32_t unk_id() const noexcept { return parts_.model->unk_id(); }

  // Which of `size` tokens a limit of `room` leaves: the first ones, or the last. Returns where they begin.
  std::size_t cut(std::size_t size, std::size_t room) const noexcept {
    return parts_.truncate_left && size > room ? size - room : 0;
  }

  // The padding token, or -1 when texts begin or end with it: padding cannot be told from text then.
  std::int32_t padding() const noexcept;

  // Whether a sequence (not empty) is filled up with it: behind a text, or before its first special token.
  bool padded(std::span<const std::int32_t> ids) const noexcept;

 private:
  struct Found;

  void tokens(std::string_view text, Found& found) const;
  void stages(std::string_view part, std::size_t at, Found& found) const;
  void words(Text text, Found& found) const;

  Parts parts_;
  bool always_track_;
};

}  // namespace potstill::tokenizer
