// GPT-2's words, their bytes written as 256 characters that can be seen (a space is U+0120).
#pragma once

#include <memory>

#include "still_generated.h"
#include "tokenizer/patterns.h"
#include "tokenizer/pre_tokenizers/pre_tokenizer.h"

namespace potstill::tokenizer {

class Load;

class ByteLevel final : public PreTokenizer {
 public:
  static std::unique_ptr<const PreTokenizer> make(const Load& load, const fb::PreTokenizer& header);

  // add_prefix_space: a space is put before each word that does not begin with one. use_regex: words are cut by Gpt2.
  ByteLevel(bool add_prefix_space, bool use_regex) : add_prefix_space_(add_prefix_space), use_regex_(use_regex) {}

  void split(Words& words) const override;

 private:
  bool add_prefix_space_;
  bool use_regex_;
};

}  // namespace potstill::tokenizer
