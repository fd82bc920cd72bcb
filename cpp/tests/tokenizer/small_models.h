// Models over hand-made tables, built as python/potstill/compile/tokenizers/models/ builds them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <ctime>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "small_vocabulary.h"
#include "tokenizer/models/bpe.h"
#include "tokenizer/models/unigram.h"

namespace potstill::tokenizer::testing {

inline std::vector<Token> tokens_of(const Model& model, std::string_view word) {
  std::vector<Token> tokens;
  model.encode(word, 0, tokens);
  return tokens;
}

inline Ids ids_of(const Model& model, std::string_view word) {
  Ids ids;
  for (const Token& token : tokens_of(model, word)) ids.push_back(token.id);
  return ids;
}

// Bytes [begin, end) of each token.
using Places = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

inline Places places_of(const Model& model, std::string_view word) {
  Places places;
  for (const Token& token : tokens_of(model, word)) places.emplace_back(token.begin, token.end);
  return places;
}

inline void expect_text(const char* text, const std::string& part) {
  ASSERT_NE(text, nullptr) << part;
  EXPECT_NE(std::string(text).find(part), std::string::npos) << text;
}

// The least processor time of five runs.
inline double seconds(const Model& model, const std::string& word) {
  double best = 1e9;
  for (int i = 0; i < 5; ++i) {
    const std::clock_t start = std::clock();
    EXPECT_FALSE(tokens_of(model, word).empty());
    best = std::min(best, static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
  }
  return best;
}

// The same numbers on every system.
struct Random {
  std::uint32_t state = 7;

  std::uint32_t below(std::size_t limit) {
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % static_cast<std::uint32_t>(limit);
  }
};

struct SmallBpe {
  // Merges by the texts of the two; what they make is the text of both.
  SmallBpe(const std::vector<std::string>& texts, const std::vector<std::pair<std::string, std::string>>& merges)
      : pieces(texts, 0) {
    for (const auto& [left, right] : merges) {
      for (const std::string& text : {left, right, left + right}) rows.push_back(pieces.view().find(text));
    }
    slots.assign(std::bit_ceil(2 * std::max<std::size_t>(merges.size(), 1)), -1);
    for (std::uint32_t row = 0; row < merges.size(); ++row) {
      const std::uint32_t hash = Merges::hash(rows[3 * row], rows[3 * row + 1]);
      std::size_t slot = hash & (slots.size() - 1);
      while (slots[slot] != -1) slot = (slot + 1) & (slots.size() - 1);
      slots[slot] = static_cast<std::int32_t>((hash & 0xFF000000u) | row);
    }
  }

  Merges merges() const { return {rows, slots}; }
  const char* problem(const Bpe::Options& options = {}) const { return Bpe::problem(pieces.view(), merges(), options); }
  Bpe model(const Bpe::Options& options = {}) const {
    EXPECT_EQ(problem(options), nullptr);
    return Bpe(pieces.view(), merges(), options);
  }

  SmallVocabulary pieces;
  std::vector<std::int32_t> rows, slots;
};

struct SmallUnigram {
  SmallUnigram(const std::vector<std::string>& texts, std::vector<float> of_each) : pieces(texts, 0), scores(of_each) {
    // Each place of the trie has 256 units for itself: simple, and far from small.
    std::map<std::string, std::size_t> places{{"", 0}};
    for (const std::string& text : texts) {
      for (std::size_t size = 1; size <= text.size(); ++size) places.emplace(text.substr(0, size), places.size());
    }
    const auto base = [](std::size_t place) { return static_cast<std::uint32_t>(256 * place + 1); };
    trie.assign(256 * places.size() + 1, 0xFE);
    trie[0] = static_cast<std::int32_t>(base(0) << 10 | 0xFE);
    for (const auto& [text, place] : places) {
      if (text.empty()) continue;
      const auto byte = static_cast<unsigned char>(text.back());
      const std::int32_t id = pieces.view().find(text);
      const std::uint32_t ends = id >= 0 ? 1u << 9 : 0;
      trie[base(places[text.substr(0, text.size() - 1)]) + byte] =
          static_cast<std::int32_t>(base(place) << 10 | ends | byte);
      if (id >= 0) trie[base(place) + 0xFF] = static_cast<std::int32_t>(static_cast<std::uint32_t>(id) << 10 | 0xFF);
    }
  }

  Unigram::Tables tables() const { return {scores, wide, trie}; }
  const char* problem(const Unigram::Options& options = {}) const {
    return Unigram::problem(pieces.view(), tables(), options);
  }
  Unigram model(const Unigram::Options& options = {}) const {
    EXPECT_EQ(problem(options), nullptr);
    return Unigram(pieces.view(), tables(), options);
  }

  SmallVocabulary pieces;
  std::vector<float> scores;
  std::vector<std::uint8_t> wide;
  std::vector<std::int32_t> trie;
};

}  // namespace potstill::tokenizer::testing
