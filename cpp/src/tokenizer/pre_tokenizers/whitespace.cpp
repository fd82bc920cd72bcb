#include "tokenizer/pre_tokenizers/whitespace.h"

#include "tokenizer/pre_tokenizers/pieces.h"

namespace potstill::tokenizer {

std::unique_ptr<const PreTokenizer> Whitespace::make(const Load&, const fb::PreTokenizer&) {
  return std::make_unique<Whitespace>();
}

std::unique_ptr<const PreTokenizer> WhitespaceSplit::make(const Load&, const fb::PreTokenizer&) {
  return std::make_unique<WhitespaceSplit>();
}

void Whitespace::split(Words& words) const {
  using unicode::kWhitespace, unicode::kWordChar;
  constexpr unicode::Flags kKinds = kWhitespace | kWordChar;
  cut_each(words, fb::Behavior::Removed, [](std::string_view word, std::size_t at, Pieces& pieces) {
    for (std::size_t begin = 0; begin < word.size();) {
      const Character first = character(word, begin);
      const unicode::Flags kind = first.flags & kKinds;
      const std::size_t end = run(word, first.end, [=](unicode::Flags flags) { return (flags & kKinds) == kind; });
      pieces.add({at + begin, at + end}, kind == kWhitespace);
      begin = end;
    }
  });
}

void WhitespaceSplit::split(Words& words) const {
  cut_at_each(words, fb::Behavior::Removed, [](unicode::Flags flags) { return (flags & unicode::kWhitespace) != 0; });
}

}  // namespace potstill::tokenizer
