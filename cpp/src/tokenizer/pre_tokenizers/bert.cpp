#include "tokenizer/pre_tokenizers/bert.h"

#include <string_view>
#include <utility>

#include "tokenizer/unicode.h"
#include "tokenizer/utf8.h"

namespace potstill::tokenizer {

std::unique_ptr<const PreTokenizer> BertPreTokenizer::make(const Load&, const fb::PreTokenizer&) {
  return std::make_unique<BertPreTokenizer>();
}

void BertPreTokenizer::split(Words& words) const {
  std::vector<Range> found;
  const std::string_view text = words.text.bytes;
  for (const Range& word : words.words) {
    std::size_t begin = word.begin;
    const auto end_word = [&](std::size_t end) {
      if (begin < end) found.push_back({begin, end});
    };
    for (std::size_t at = word.begin; at < word.end;) {
      const std::size_t here = at;
      const auto flags = unicode::class_of(utf8::next(text, at)).flags;
      if ((flags & (unicode::kWhitespace | unicode::kPunctuation)) == 0) continue;
      end_word(here);
      if ((flags & unicode::kPunctuation) != 0) found.push_back({here, at});
      begin = at;
    }
    end_word(word.end);
  }
  words.words = std::move(found);
}

}  // namespace potstill::tokenizer
