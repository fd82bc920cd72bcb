#include "api/words.h"

#include <algorithm>

#include "tokenizer/utf8.h"

namespace potstill::api {
namespace {

namespace utf8 = tokenizer::utf8;

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

// Bytes at the beginning of `text` that are read as one character: a character, or what U+FFFD stands for.
std::size_t bytes_of_one(std::string_view text) {
  std::size_t size = 1;
  for (std::size_t more = 1; more <= std::min<std::size_t>(4, text.size()); ++more) {
    const std::string_view part = text.substr(0, more);
    if (utf8::valid(part)) return more;
    if (utf8::repaired(part) == kReplacement) size = more;
  }
  return size;
}

}  // namespace

std::vector<Place> places_of_words(std::string_view text, tokenizer::Units units) {
  const bool valid = utf8::valid(text);
  const std::string repaired = valid ? std::string() : utf8::repaired(text);
  const std::string_view read = valid ? text : repaired;
  std::vector<Place> places;
  std::size_t given = 0, character = 0;  // where the words' characters stand in the text as it was given
  const auto advance_to = [&](std::size_t wanted) {
    for (; character < wanted; ++character) given += bytes_of_one(text.substr(given));
    return given;
  };
  for (const tokenizer::Word& word : tokenizer::words_of(read, units)) {
    const std::size_t begin = advance_to(word.begin), end = advance_to(word.end);
    places.push_back({begin, end, word.begin, word.end, std::string(word.text)});
  }
  return places;
}

tokenizer::Units units_of(const graph::Graph& graph) {
  const fb::Head* head = graph.numbers.header;
  const fb::Tags* tags = head == nullptr ? nullptr : head->body_as_Tags();
  return tags == nullptr ? tokenizer::Units::Words : static_cast<tokenizer::Units>(tags->units());
}

}  // namespace potstill::api
