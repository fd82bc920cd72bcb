// What a cut word becomes: matches and what lies between them, put together as `tokenizers` names it
// (SplitDelimiterBehavior).
#pragma once

#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

#include "still_generated.h"
#include "tokenizer/characters.h"
#include "tokenizer/pre_tokenizers/pre_tokenizer.h"

namespace potstill::tokenizer {

// nullptr, or what is wrong with a behavior of a file.
inline const char* problem(fb::Behavior behavior) noexcept {
  return behavior <= fb::Behavior::MAX ? nullptr : "a step has a behavior that this core does not know";
}

// Takes the pieces of one word after the other and writes the new words.
class Pieces {
 public:
  Pieces(fb::Behavior behavior, std::vector<Range>& out) : behavior_(behavior), out_(out) {}

  // The next piece, which begins where the one before it ended; an empty one is none.
  void add(Range piece, bool match) {
    if (piece.begin == piece.end) return;
    if (joins(match)) {
      out_.back().end = piece.end;
    } else if (behavior_ != fb::Behavior::Removed || !match) {
      out_.push_back(piece);
    }
    first_ = false;
    before_ = match;
  }

  // The word is at its end: what comes next belongs to another.
  void end_word() noexcept { first_ = true; }

 private:
  // Whether a piece is of one word with the piece before it.
  bool joins(bool match) const noexcept {
    if (first_) return false;
    switch (behavior_) {
      case fb::Behavior::Contiguous:
        return match == before_;
      case fb::Behavior::MergedWithPrevious:
        return match && !before_;
      case fb::Behavior::MergedWithNext:
        return !match && before_;
      default:
        return false;
    }
  }

  fb::Behavior behavior_;
  std::vector<Range>& out_;
  bool first_ = true;    // no piece of this word came yet
  bool before_ = false;  // whether the piece before was a match
};

// Cuts each word by `cut(text, word, pieces)`, which gives all its pieces.
template <typename Cut>
void cut_each(Words& words, fb::Behavior behavior, Cut cut) {
  std::vector<Range> out;
  out.reserve(words.words.size() + words.text.bytes.size() / 8);
  Pieces pieces(behavior, out);
  for (const Range word : words.words) {
    cut(std::string_view(words.text.bytes).substr(word.begin, word.end - word.begin), word.begin, pieces);
    pieces.end_word();
  }
  words.words = std::move(out);
}

// Each character for which `of(flags)` holds is a match.
template <typename Of>
void cut_at_each(Words& words, fb::Behavior behavior, Of of) {
  cut_each(words, behavior, [&](std::string_view word, std::size_t at, Pieces& pieces) {
    std::size_t done = 0;
    for (std::size_t next = 0; next < word.size();) {
      const Character here = character(word, next);
      if (of(here.flags)) {
        pieces.add({at + done, at + next}, false);
        pieces.add({at + next, at + here.end}, true);
        done = here.end;
      }
      next = here.end;
    }
    pieces.add({at + done, at + word.size()}, false);
  });
}

}  // namespace potstill::tokenizer
