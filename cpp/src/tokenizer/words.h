// Where the words of a text are that a tagger is given as plain text.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace potstill::tokenizer {

// What a tagger labels, as its training rows had it.
enum class Units {
  // What stands between white space; punctuation, and characters of scripts that are written without spaces, by
  // themselves. Punctuation and white space are BertPreTokenizer's, asked of the text as it is written.
  Words,
  // Every character by itself.
  Characters,
  // Words that no rule finds, e.g. Japanese ones: they must be given.
  Given,
};

// A word of a text.
struct Word {
  std::string_view text;   // a part of the text
  std::size_t begin, end;  // [begin, end) in characters (Unicode code points)
};

// The words of `utf8`, which must be valid, in their order; white space is in none. A character is one as readers see
// it, close to the extended grapheme clusters of Unicode Standard Annex 29: combining marks (general category M and the
// four letters that count as marks there), U+200C, U+200D and modifiers of emoji stay with what they stand behind, and
// so do emoji joined by U+200D, pairs of regional indicators and the parts of a Korean syllable. Control characters
// belong to the word they stand in; by themselves they are none. Throws I130 for Units::Given.
std::vector<Word> words_of(std::string_view utf8, Units units);

}  // namespace potstill::tokenizer
