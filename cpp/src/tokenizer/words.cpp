#include "tokenizer/words.h"

#include "tokenizer/unicode.h"
#include "tokenizer/utf8.h"

namespace potstill::tokenizer {

std::vector<std::pair<std::size_t, std::size_t>> word_ranges(std::string_view text) {
  std::vector<std::pair<std::size_t, std::size_t>> words;
  std::size_t character = 0, begin = 0;
  bool inside = false;  // a word begun at `begin` holds something else than control characters
  const auto end_word = [&] {
    if (inside) words.emplace_back(begin, character);
    inside = false;
  };
  for (std::size_t at = 0; at < text.size(); ++character) {
    const unicode::Class properties = unicode::class_of(utf8::next(text, at));
    if ((properties.flags & unicode::kWhitespace) != 0) {
      end_word();
      begin = character + 1;
    } else if ((properties.flags & (unicode::kPunctuation | unicode::kChinese)) != 0) {
      end_word();
      words.emplace_back(character, character + 1);
      begin = character + 1;
    } else if ((properties.flags & unicode::kControl) == 0) {
      if (!inside) begin = character;
      inside = true;
    }
  }
  end_word();
  return words;
}

}  // namespace potstill::tokenizer
