#include "api/tokenize.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

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

// Which tokens of a text are left, with their places as the post-processor leaves them.
template <typename T>
std::span<const T> kept_of(const Tokenizer& tokenizer, std::vector<T>& tokens, std::size_t room) {
  const std::span<T> kept = std::span(tokens).subspan(tokenizer.cut(tokens.size(), room), room);
  if constexpr (std::is_same_v<T, tokenizer::Placed>) tokenizer.trim(kept);
  return kept;
}

// The tokens of texts with special ones: T is int32_t, an id, or a Placed token.
template <typename T>
std::vector<std::vector<T>> of_texts(const graph::Graph& graph, std::span<const std::string_view> texts,
                                     bool truncate) {
  const Tokenizer& tokenizer = tokenizer_of(graph);
  const Template::Parts& parts = tokenizer.around().single;
  const std::size_t specials = Template::specials(parts);
  std::vector<std::vector<T>> all(texts.size());
  std::vector<T> content;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    content.clear();
    tokenizer.encode(texts[i], content);
    if (content.empty()) {
      throw Error("I001", "there is nothing to read in the text", place("text", i), "leave empty texts out");
    }
    const bool cut = must_cut(graph, content.size(), specials, truncate, 1, i);
    const std::size_t room = cut ? graph.max_tokens - specials : content.size();
    Template::wrap(parts, kept_of(tokenizer, content, room), {}, all[i]);
  }
  return all;
}

// The same of pairs; `types`, where given, gets the token types of each.
template <typename T>
std::vector<std::vector<T>> of_pairs(const graph::Graph& graph, Pairs pairs, bool truncate,
                                     std::vector<std::vector<int32_t>>* types = nullptr) {
  const Tokenizer& tokenizer = tokenizer_of(graph);
  if (graph.types < 2) {
    throw Error("I014", "the model reads one text, not a pair of texts", graph.file.where,
                "give single texts, or build the model with data.text_pair");
  }
  const Template::Parts& parts = tokenizer.around().pair;
  const std::size_t specials = Template::specials(parts);
  std::vector<std::vector<T>> all(pairs.size());
  std::vector<T> first, second;
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
    if (must_cut(graph, n + m, specials, truncate, 2, i)) tokenizer::fit_pair(n, m, graph.max_tokens - specials);
    Template::wrap(parts, kept_of(tokenizer, first, n), kept_of(tokenizer, second, m), all[i]);
    if (types != nullptr) types->push_back(Template::types(parts, n, m));
  }
  return all;
}

std::vector<std::vector<Offset>> places(const std::vector<std::vector<tokenizer::Placed>>& all) {
  std::vector<std::vector<Offset>> found;
  for (const auto& tokens : all) {
    found.emplace_back();
    for (const tokenizer::Placed& token : tokens) found.back().push_back({token.begin, token.end});
  }
  return found;
}

}  // namespace

std::vector<std::vector<int32_t>> ids_of_texts(const graph::Graph& graph, Texts texts, bool truncate) {
  return of_texts<int32_t>(graph, texts, truncate);
}

std::vector<std::vector<Offset>> offsets_of_texts(const graph::Graph& graph, Texts texts, bool truncate) {
  return places(of_texts<tokenizer::Placed>(graph, texts, truncate));
}

std::vector<Tokens> ids_of_pairs(const graph::Graph& graph, Pairs pairs, bool truncate) {
  std::vector<std::vector<int32_t>> types;
  std::vector<std::vector<int32_t>> ids = of_pairs<int32_t>(graph, pairs, truncate, &types);
  std::vector<Tokens> all(pairs.size());
  for (std::size_t i = 0; i < pairs.size(); ++i) all[i] = {std::move(ids[i]), std::move(types[i])};
  return all;
}

std::vector<std::vector<Offset>> offsets_of_pairs(const graph::Graph& graph, Pairs pairs, bool truncate) {
  return places(of_pairs<tokenizer::Placed>(graph, pairs, truncate));
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
      if (content.size() > first) continue;
      if (tokenizer.unk_id() < 0) {
        throw Error("I001", "the tokenizer has no token for a word, and none for unknown words", place("text", i),
                    "leave the word out");
      }
      content.push_back(tokenizer.unk_id());
    }
    if (must_cut(graph, content.size(), specials, truncate, 1, i)) {
      content.resize(graph.max_tokens - specials);
      while (!firsts.empty() && firsts.back() >= static_cast<int32_t>(leading + content.size())) firsts.pop_back();
    }
    tokenizer.around().wrap(content, all[i].ids);
  }
  return all;
}

}  // namespace potstill::api
