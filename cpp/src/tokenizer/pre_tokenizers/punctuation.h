// Each punctuation character is a match.
#pragma once

#include <memory>

#include "still_generated.h"
#include "tokenizer/pre_tokenizers/pre_tokenizer.h"

namespace potstill::tokenizer {

class Load;

class Punctuation final : public PreTokenizer {
 public:
  static std::unique_ptr<const PreTokenizer> make(const Load& load, const fb::PreTokenizer& header);

  explicit Punctuation(fb::Behavior behavior) : behavior_(behavior) {}

  void split(Words& words) const override;

 private:
  fb::Behavior behavior_;
};

}  // namespace potstill::tokenizer
