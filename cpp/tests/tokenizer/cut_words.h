// What a pre-tokenizer makes of a text: its words, and the bytes of the text that each comes from.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/patterns.h"
#include "tokenizer/pre_tokenizers/pre_tokenizer.h"
#include "tokenizer/pre_tokenizers/split.h"

namespace potstill::tokenizer::testing {

struct CutWord {
  std::string text;
  std::uint32_t begin, end;
  bool operator==(const CutWord&) const = default;
};

inline std::ostream& operator<<(std::ostream& out, const CutWord& word) {
  return out << '"' << word.text << "\" " << word.begin << ".." << word.end;
}

using Cut = std::vector<CutWord>;
using Steps = std::vector<const PreTokenizer*>;

inline Words whole(std::string_view text, bool track = true) {
  Words words{Text(text, 0, track), {}};
  if (!text.empty()) words.words.push_back({0, text.size()});
  return words;
}

inline Cut cut(const Steps& steps, std::string_view text) {
  Words words = whole(text);
  for (const PreTokenizer* step : steps) step->split(words);
  Cut found;
  for (const Range& word : words.words) {
    const Origin origin = words.text.origin(word.begin, word.end);
    found.push_back({words.text.bytes.substr(word.begin, word.end - word.begin), origin.begin, origin.end});
  }
  return found;
}

inline Cut cut(const PreTokenizer& step, std::string_view text) { return cut(Steps{&step}, text); }

// Each match and what lies between two is a word.
inline Split isolated(fb::PatternKind kind, std::string_view text = {}) {
  return {Pattern(kind, text), fb::Behavior::Isolated, false};
}

}  // namespace potstill::tokenizer::testing
