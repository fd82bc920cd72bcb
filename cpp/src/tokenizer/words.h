// Where the words of a text are: what stands between white space, punctuation and ideographs by themselves.
#pragma once

#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

namespace potstill::tokenizer {

// [first, last) of each word in characters (Unicode code points), for taggers that are given plain text. The classes
// are BertPreTokenizer's, asked of the text as it is written, so a word is never cut inside a character; tokenized word
// by word it gives the ids of the whole text but where normalization makes punctuation of a symbol (U+2260 becomes
// "="). Control characters belong to the word they stand in; by themselves they are none. `utf8` must be valid.
std::vector<std::pair<std::size_t, std::size_t>> word_ranges(std::string_view utf8);

}  // namespace potstill::tokenizer
