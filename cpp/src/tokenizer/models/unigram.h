// Unigram: the path of pieces through a word whose scores have the largest sum.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "tokenizer/models/byte_pieces.h"
#include "tokenizer/models/model.h"
#include "tokenizer/models/piece_trie.h"
#include "tokenizer/vocabulary.h"

namespace potstill::tokenizer {

class Load;

class Unigram final : public Model {
 public:
  // Schema table `Unigram`. Not owned.
  struct Tables {
    std::span<const float> scores;              // one a piece; ids behind them are added tokens, none of the model's
    std::span<const std::uint8_t> wide_scores;  // the same as f64, 8 bytes each, where `scores` is empty
    std::span<const std::int32_t> trie;
  };
  struct Options {
    std::int32_t unk_id = 0;
    double unk_score = 0;  // of a character that is no piece
    bool byte_fallback = false;
  };

  // nullptr when all is sound, else a text that says what is wrong. The vocabulary must be sound.
  static const char* problem(const Vocabulary& vocabulary, const Tables& tables, const Options& options) noexcept;

  // Reads and checks the file's. Throws Error F040.
  static std::unique_ptr<const Model> make(const Load& load, const Vocabulary& vocabulary);

  // Of checked tables and options: what is built is 1 KB of ids.
  Unigram(const Vocabulary& vocabulary, const Tables& tables, const Options& options);

  void encode(std::string_view word, std::uint32_t at, std::vector<Token>& out) const override;
  std::int32_t unk_id() const noexcept override { return options_.unk_id; }
  bool unknown_is_written() const noexcept override { return true; }

 private:
  // The best path up to a byte: its sum, and its last piece, which begins at `begin`.
  struct Path {
    double score;
    std::int32_t id;
    std::uint32_t begin;
  };

  void search(std::string_view word, Path* paths) const;
  void put_unknown(std::string_view text, std::uint32_t at, std::vector<Token>& out) const;
  double score(std::int32_t id) const noexcept;
  std::size_t scored() const noexcept { return tables_.scores.size() + tables_.wide_scores.size() / 8; }

  Vocabulary vocabulary_;
  Tables tables_;
  Options options_;
  PieceTrie trie_;
  BytePieces bytes_;
};

}  // namespace potstill::tokenizer
