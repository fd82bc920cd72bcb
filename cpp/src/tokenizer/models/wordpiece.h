// WordPiece: greedy longest match. A word with an unmatched place, or with too many characters, is [UNK].
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "tokenizer/models/model.h"
#include "tokenizer/vocabulary.h"

namespace potstill::tokenizer {

class Load;

class WordPiece final : public Model {
 public:
  static constexpr std::uint32_t kMaxCharsPerWord = 1000;
  static constexpr std::size_t kMaxPrefixBytes = 64;

  // Schema table `WordPiece`.
  struct Options {
    std::uint32_t unk_id = 0;
    std::string_view continuing_prefix = "##";  // not owned
    std::uint32_t max_chars_per_word = 100;
  };

  // nullptr when the options are sound, else a text that says what is wrong. The vocabulary must be sound.
  static const char* problem(const Vocabulary& vocabulary, const Options& options) noexcept;

  // Reads and checks the file's. Throws Error F040.
  static std::unique_ptr<const Model> make(const Load& load, const Vocabulary& vocabulary);

  // Of checked options and vocabulary; nothing is copied or built.
  WordPiece(const Vocabulary& vocabulary, const Options& options);

  void encode(std::string_view word, std::uint32_t at, std::vector<Token>& out) const override;
  std::int32_t unk_id() const noexcept override { return static_cast<std::int32_t>(options_.unk_id); }

 private:
  struct Match {
    std::size_t size;  // bytes; 0: none
    std::int32_t id;
  };

  bool too_long(std::string_view word) const noexcept;
  Match longest(std::string_view word, std::size_t begin) const noexcept;

  Vocabulary vocabulary_;
  Options options_;
  std::uint32_t prefix_state_;     // hash state after the continuing prefix
  std::size_t longest_piece_ = 0;  // bytes
};

}  // namespace potstill::tokenizer
