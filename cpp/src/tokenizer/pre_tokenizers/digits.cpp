#include "tokenizer/pre_tokenizers/digits.h"

#include "tokenizer/pre_tokenizers/pieces.h"

namespace potstill::tokenizer {

std::unique_ptr<const PreTokenizer> Digits::make(const Load&, const fb::PreTokenizer& header) {
  return std::make_unique<Digits>(header.body_as_Digits()->individual());
}

void Digits::split(Words& words) const {
  const fb::Behavior behavior = individual_ ? fb::Behavior::Isolated : fb::Behavior::Contiguous;
  cut_at_each(words, behavior, [](unicode::Flags flags) { return (flags & unicode::kNumeric) != 0; });
}

}  // namespace potstill::tokenizer
