// BPE: the characters of a word, of which neighbours are joined, the best merge first, the leftmost of the same ones.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "tokenizer/models/byte_pieces.h"
#include "tokenizer/models/merges.h"
#include "tokenizer/models/model.h"
#include "tokenizer/vocabulary.h"

namespace potstill::tokenizer {

class Load;

class Bpe final : public Model {
 public:
  static constexpr std::size_t kMaxAffixBytes = 64;

  // Schema table `Bpe`.
  struct Options {
    std::int32_t unk_id = -1;  // -1: a character that is no piece is left out
    bool byte_fallback = false;
    bool fuse_unk = false;
    bool ignore_merges = false;
    std::string_view continuing_prefix = {};  // not owned, as the next
    std::string_view end_of_word_suffix = {};
  };

  // nullptr when all is sound, else a text that says what is wrong. The vocabulary must be sound.
  static const char* problem(const Vocabulary& vocabulary, const Merges& merges, const Options& options) noexcept;

  // Reads and checks the file's. Throws Error F040.
  static std::unique_ptr<const Model> make(const Load& load, const Vocabulary& vocabulary);

  // Of checked tables and options: what is built are 3 KB of ids.
  Bpe(const Vocabulary& vocabulary, const Merges& merges, const Options& options);

  // n log n in a word's length.
  void encode(std::string_view word, std::uint32_t at, std::vector<Token>& out) const override;
  std::int32_t unk_id() const noexcept override { return options_.unk_id; }

 private:
  void spell(std::string_view word, std::uint32_t at, std::vector<Token>& out) const;
  std::int32_t character(std::string_view word, std::size_t begin, std::size_t size) const;
  std::size_t merge_short(Token* tokens, std::size_t count) const noexcept;
  std::size_t merge_long(Token* tokens, std::size_t count) const;

  Vocabulary vocabulary_;
  Merges merges_;
  Options options_;
  bool plain_;  // no prefix, no suffix
  BytePieces bytes_;
  std::array<std::int32_t, 512> low_;  // ids of the characters below U+0200: ASCII, and bytes as ByteLevel writes them
};

}  // namespace potstill::tokenizer
