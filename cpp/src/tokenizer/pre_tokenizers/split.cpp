#include "tokenizer/pre_tokenizers/split.h"

#include "tokenizer/load.h"
#include "tokenizer/pre_tokenizers/pieces.h"

namespace potstill::tokenizer {

std::unique_ptr<const PreTokenizer> Split::make(const Load& load, const fb::PreTokenizer& header) {
  const fb::Split& split = *header.body_as_Split();
  load.refuse(Pattern::problem(split.pattern()));
  load.refuse(problem(split.behavior()));
  return std::make_unique<Split>(Pattern(*split.pattern()), split.behavior(), split.invert());
}

void Split::split(Words& words) const {
  cut_each(words, behavior_, [this](std::string_view word, std::size_t at, Pieces& pieces) {
    for (std::size_t done = 0; done < word.size();) {
      const Range match = pattern_.next(word, done);
      pieces.add({at + done, at + match.begin}, invert_);
      pieces.add({at + match.begin, at + match.end}, !invert_);
      done = match.end;
    }
  });
}

}  // namespace potstill::tokenizer
