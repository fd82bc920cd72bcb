#include "api/tokenize.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace potstill::api {
namespace {

using tokenizer::Template;
using tokenizer::Tokenizer;

const Tokenizer& tokenizer_of(const graph::Graph& graph) {
  if (graph.tokenizer) return *graph.tokenizer;
  throw Error("I005", "the model file holds no tokenizer", graph.file.where,
              "compile it with --tokenizer, or give token ids");
}

// Where a message says something is: "text 3".
std::string place(const char* unit, std::size_t index) { return std::string(unit) + ' ' + std::to_string(index); }

// Whether so many tokens of `texts` texts must be cut. Throws I002 where that is not allowed, or leaves none of a text.
bool must_cut(const graph::Graph& graph, std::size_t tokens, std::size_t specials, bool truncate, std::size_t texts,
              std::size_t index) {
  if (tokens + specials <= graph.max_tokens) return false;
  if (truncate && graph.max_tokens >= specials + texts) return true;
  const char* unit = texts == 1 ? "text" : "pair";
  throw Error("I002",
              std::string("the ") + unit + " has " + std::to_string(tokens + specials) + " tokens, the model takes " +
                  std::to_string(graph.max_tokens),
              place(unit, index), "shorten it, or truncate");
}

}  // namespace

std::vector<std::vector<int32_t>> ids_of_texts(const graph::Graph& graph, std::span<const std::string_view> texts,
                                               bool truncate) {
  const Tokenizer& tokenizer = tokenizer_of(graph);
  const std::size_t specials = Template::specials(tokenizer.around().single);
  std::vector<std::vector<int32_t>> all(texts.size());
  std::vector<int32_t> content;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    content.clear();
    tokenizer.encode(texts[i], content);
    if (content.empty()) {
      throw Error("I001", "there is nothing to read in the text", place("text", i), "leave empty texts out");
    }
    std::span<const int32_t> kept = content;
    if (must_cut(graph, content.size(), specials, truncate, 1, i)) {
      const std::size_t room = graph.max_tokens - specials;
      kept = kept.subspan(tokenizer.cut(kept.size(), room), room);
    }
    tokenizer.around().wrap(kept, all[i]);
  }
  return all;
}

std::vector<Words> ids_of_words(const graph::Graph& graph, std::span<const std::vector<std::string_view>> texts,
                                bool truncate) {
  const Tokenizer& tokenizer = tokenizer_of(graph);
  const std::size_t specials = Template::specials(tokenizer.around().single), leading = tokenizer.around().leading();
  std::vector<Words> all(texts.size());
  std::vector<int32_t> content;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (texts[i].empty()) {
      throw Error("I001", "there is no word in the text", place("text", i), "leave empty texts out");
    }
    std::vector<int32_t>& firsts = all[i].firsts;
    content.clear();
    for (const std::string_view word : texts[i]) {
      const std::size_t first = content.size();
      firsts.push_back(static_cast<int32_t>(leading + first));
      tokenizer.encode(word, content);
      // A word of nothing but white space and control characters has no piece, yet it shall have its answer.
      if (content.size() == first && tokenizer.unk_id() >= 0) content.push_back(tokenizer.unk_id());
    }
    if (must_cut(graph, content.size(), specials, truncate, 1, i)) {
      content.resize(graph.max_tokens - specials);
      while (!firsts.empty() && firsts.back() >= static_cast<int32_t>(leading + content.size())) firsts.pop_back();
    }
    tokenizer.around().wrap(content, all[i].ids);
  }
  return all;
}

std::vector<Tokens> ids_of_pairs(const graph::Graph& graph,
                                 std::span<const std::pair<std::string_view, std::string_view>> pairs, bool truncate) {
  const Tokenizer& tokenizer = tokenizer_of(graph);
  if (graph.types < 2) {
    throw Error("I014", "the model reads one text, not a pair of texts", graph.file.where,
                "give single texts, or build the model with data.text_pair");
  }
  const std::size_t specials = Template::specials(tokenizer.around().pair);
  std::vector<Tokens> all(pairs.size());
  std::vector<int32_t> first, second;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    first.clear();
    second.clear();
    tokenizer.encode(pairs[i].first, first);
    tokenizer.encode(pairs[i].second, second);
    std::size_t n = first.size(), m = second.size();
    if (n == 0 || m == 0) {
      throw Error("I001", "there is nothing to read in one of the texts", place("pair", i),
                  "leave pairs with an empty text out");
    }
    if (must_cut(graph, n + m, specials, truncate, 2, i)) {
      tokenizer::fit_pair(n, m, graph.max_tokens - specials);
    }
    tokenizer.around().wrap(std::span(first).subspan(tokenizer.cut(first.size(), n), n),
                            std::span(second).subspan(tokenizer.cut(second.size(), m), m), all[i].ids, all[i].types);
  }
  return all;
}

}  // namespace potstill::api
