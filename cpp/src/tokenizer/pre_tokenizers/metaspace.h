// SentencePiece's words: spaces are written as a character that can be seen, and each begins a word.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "still_generated.h"
#include "tokenizer/pre_tokenizers/pre_tokenizer.h"

namespace potstill::tokenizer {

class Load;

class Metaspace final : public PreTokenizer {
 public:
  static std::unique_ptr<const PreTokenizer> make(const Load& load, const fb::PreTokenizer& header);

  static const char* problem(std::string_view replacement, fb::Prefix prefix) noexcept;

  // prefix: which words get the replacement before them that lack it, First being the words at the text's beginning.
  Metaspace(std::string_view replacement, fb::Prefix prefix, bool split)
      : replacement_(replacement), prefix_(prefix), split_(split) {}

  void split(Words& words) const override;
  bool needs_origins() const noexcept override { return prefix_ == fb::Prefix::First; }

 private:
  bool replaced_at(std::string_view text, std::size_t at) const noexcept;

  std::string replacement_;  // one character
  fb::Prefix prefix_;
  bool split_;
};

}  // namespace potstill::tokenizer
