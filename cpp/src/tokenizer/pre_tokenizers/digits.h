// Numbers, of any script, are words of their own: all digits side by side are one, or each is.
#pragma once

#include <memory>

#include "still_generated.h"
#include "tokenizer/pre_tokenizers/pre_tokenizer.h"

namespace potstill::tokenizer {

class Load;

class Digits final : public PreTokenizer {
 public:
  static std::unique_ptr<const PreTokenizer> make(const Load& load, const fb::PreTokenizer& header);

  explicit Digits(bool individual) : individual_(individual) {}

  void split(Words& words) const override;

 private:
  bool individual_;
};

}  // namespace potstill::tokenizer
