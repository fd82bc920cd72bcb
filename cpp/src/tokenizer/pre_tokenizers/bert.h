// BertPreTokenizer: white space parts words, punctuation characters are words.
#pragma once

#include <memory>

#include "still_generated.h"
#include "tokenizer/pre_tokenizers/pre_tokenizer.h"

namespace potstill::tokenizer {

class Load;

class BertPreTokenizer final : public PreTokenizer {
 public:
  static std::unique_ptr<const PreTokenizer> make(const Load& load, const fb::PreTokenizer& header);

  void split(Words& words) const override;
};

}  // namespace potstill::tokenizer
