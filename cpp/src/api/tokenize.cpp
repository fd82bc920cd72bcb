#include "api/tokenize.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace potstill::api {
namespace {

const tokenizer::WordPieceTokenizer& tokenizer_of(const graph::Graph& graph) {
  if (graph.tokenizer) return *graph.tokenizer;
  throw Error("I005", "the model file holds no tokenizer", graph.file.where,
              "compile it with --tokenizer, or give token ids");
}

// Where a message says something is: "text 3".
std::string place(const char* unit, std::size_t index) { return std::string(unit) + ' ' + std::to_string(index); }

// Whether so many tokens must be cut. Throws I002 where that is not allowed.
bool must_cut(const graph::Graph& graph, std::size_t tokens, bool truncate, const char* unit, std::size_t index) {
  if (tokens <= graph.max_tokens) return false;
  if (truncate) return true;
  throw Error("I002",
              std::string("the ") + unit + " has " + std::to_string(tokens) + " tokens, the model takes " +
                  std::to_string(graph.max_tokens),
              place(unit, index), "shorten it, or truncate");
}

int32_t id(uint32_t piece) { return static_cast<int32_t>(piece); }

}  // namespace

std::vector<std::vector<int32_t>> ids_of_texts(const graph::Graph& graph, std::span<const std::string_view> texts,
                                               bool truncate) {
  const tokenizer::WordPieceTokenizer& tokenizer = tokenizer_of(graph);
  std::vector<std::vector<int32_t>> all;
  all.reserve(texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    std::vector<int32_t> ids = tokenizer.encode(texts[i]);
    if (ids.size() <= 2) {  // [CLS] and [SEP]
      throw Error("I001", "there is nothing to read in the text", place("text", i), "leave empty texts out");
    }
    if (must_cut(graph, ids.size(), truncate, "text", i)) {
      ids[graph.max_tokens - 1] = ids.back();
      ids.resize(graph.max_tokens);
    }
    all.push_back(std::move(ids));
  }
  return all;
}

std::vector<Words> ids_of_words(const graph::Graph& graph, std::span<const std::vector<std::string_view>> texts,
                                bool truncate) {
  const tokenizer::WordPieceTokenizer& tokenizer = tokenizer_of(graph);
  std::vector<Words> all;
  all.reserve(texts.size());
  std::vector<int32_t> pieces;  // [CLS] word [SEP]
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (texts[i].empty()) {
      throw Error("I001", "there is no word in the text", place("text", i), "leave empty texts out");
    }
    Words words;
    words.ids.push_back(id(tokenizer.view().cls_id));
    for (const std::string_view word : texts[i]) {
      words.firsts.push_back(static_cast<int32_t>(words.ids.size()));
      pieces.clear();
      tokenizer.encode_into(word, pieces);
      // A word of nothing but white space and control characters has no piece, yet it shall have its answer.
      if (pieces.size() == 2) pieces.insert(pieces.begin() + 1, id(tokenizer.view().unk_id));
      words.ids.insert(words.ids.end(), pieces.begin() + 1, pieces.end() - 1);
    }
    if (must_cut(graph, words.ids.size() + 1, truncate, "text", i)) {
      words.ids.resize(graph.max_tokens - 1);
      while (!words.firsts.empty() && words.firsts.back() >= id(graph.max_tokens - 1)) words.firsts.pop_back();
    }
    words.ids.push_back(id(tokenizer.view().sep_id));
    all.push_back(std::move(words));
  }
  return all;
}

std::vector<Tokens> ids_of_pairs(const graph::Graph& graph,
                                 std::span<const std::pair<std::string_view, std::string_view>> pairs, bool truncate) {
  constexpr std::size_t kSpecials = 3;  // [CLS], [SEP], [SEP]
  const tokenizer::WordPieceTokenizer& tokenizer = tokenizer_of(graph);
  if (graph.types < 2) {
    throw Error("I014", "the model reads one text, not a pair of texts", graph.file.where,
                "give single texts, or build the model with data.text_pair");
  }
  const bool room = graph.max_tokens >= kSpecials + 2;  // for a token of each text
  std::vector<Tokens> all;
  all.reserve(pairs.size());
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const std::vector<int32_t> first = tokenizer.encode(pairs[i].first), second = tokenizer.encode(pairs[i].second);
    std::size_t n = first.size() - 2, m = second.size() - 2;
    if (n == 0 || m == 0) {
      throw Error("I001", "there is nothing to read in one of the texts", place("pair", i),
                  "leave pairs with an empty text out");
    }
    if (must_cut(graph, n + m + kSpecials, truncate && room, "pair", i)) {
      tokenizer::fit_pair(n, m, graph.max_tokens - kSpecials);
    }
    Tokens tokens;
    tokens.ids.assign(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(1 + n));
    tokens.ids.push_back(first.back());
    tokens.types.assign(tokens.ids.size(), 0);
    tokens.ids.insert(tokens.ids.end(), second.begin() + 1, second.begin() + static_cast<std::ptrdiff_t>(1 + m));
    tokens.ids.push_back(second.back());
    tokens.types.resize(tokens.ids.size(), 1);
    all.push_back(std::move(tokens));
  }
  return all;
}

}  // namespace potstill::api
