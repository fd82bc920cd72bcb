// Texts to ids, in the forms that callers have them: texts, texts cut into words, pairs. The rules are in model.hpp.
#pragma once

#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "graph/graph.h"
#include "potstill/model.hpp"

namespace potstill::api {

using Texts = std::span<const std::string_view>;
using Pairs = std::span<const std::pair<std::string_view, std::string_view>>;

std::vector<std::vector<int32_t>> ids_of_texts(const graph::Graph& graph, Texts texts, bool truncate);
std::vector<std::vector<Offset>> offsets_of_texts(const graph::Graph& graph, Texts texts, bool truncate);
std::vector<Words> ids_of_words(const graph::Graph& graph, std::span<const std::vector<std::string_view>> texts,
                                bool truncate);
std::vector<Tokens> ids_of_pairs(const graph::Graph& graph, Pairs pairs, bool truncate);
std::vector<std::vector<Offset>> offsets_of_pairs(const graph::Graph& graph, Pairs pairs, bool truncate);

}  // namespace potstill::api
