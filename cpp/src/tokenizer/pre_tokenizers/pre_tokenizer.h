// A step that cuts a text into the words that the model reads one by one. One file a step, and its row in load.cpp.
#pragma once

#include <vector>

#include "tokenizer/text.h"

namespace potstill::tokenizer {

// A normalized text and its words: ranges of it in order, none empty, none over another; what is in none is left out.
struct Words {
  Text text;
  std::vector<Range> words;
};

class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;

  // Cuts each word further; may change the text as well. Safe to call from many threads at once, in linear time.
  virtual void split(Words& words) const = 0;

  // Whether `split` reads origins: the text is tracked then, whoever asks.
  virtual bool needs_origins() const noexcept { return false; }
};

}  // namespace potstill::tokenizer
