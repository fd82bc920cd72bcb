#include "tokenizer/pre_tokenizers/punctuation.h"

#include "tokenizer/load.h"
#include "tokenizer/pre_tokenizers/pieces.h"

namespace potstill::tokenizer {

std::unique_ptr<const PreTokenizer> Punctuation::make(const Load& load, const fb::PreTokenizer& header) {
  const fb::Behavior behavior = header.body_as_Punctuation()->behavior();
  load.refuse(problem(behavior));
  return std::make_unique<Punctuation>(behavior);
}

void Punctuation::split(Words& words) const {
  cut_at_each(words, behavior_, [](unicode::Flags flags) { return (flags & unicode::kPunctuation) != 0; });
}

}  // namespace potstill::tokenizer
