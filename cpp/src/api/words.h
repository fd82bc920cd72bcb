// The words of a text that is given to a tagger.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"
#include "tokenizer/words.h"

namespace potstill::api {

// A word as the model reads it.
struct Place {
  std::size_t begin, end;                      // in bytes of the text it stands in
  std::size_t begin_character, end_character;  // in characters
  std::string word;
};

// Words of a text that may be no UTF-8; `units` is the model's.
std::vector<Place> places_of_words(std::string_view text, tokenizer::Units units);

// Of a tagger; else words.
tokenizer::Units units_of(const graph::Graph& graph);

}  // namespace potstill::api
