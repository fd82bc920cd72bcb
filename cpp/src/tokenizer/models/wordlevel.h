// WordLevel: a word is a piece, or the unknown token.
#pragma once

#include <memory>
#include <vector>

#include "tokenizer/models/model.h"
#include "tokenizer/vocabulary.h"

namespace potstill::tokenizer {

class Load;

class WordLevel final : public Model {
 public:
  // nullptr when the id is in the vocabulary, which must be sound, else a text.
  static const char* problem(const Vocabulary& vocabulary, std::int32_t unk_id) noexcept;

  // Reads and checks the file's. Throws Error F040.
  static std::unique_ptr<const Model> make(const Load& load, const Vocabulary& vocabulary);

  // Of a checked vocabulary and id; nothing is copied or built.
  WordLevel(const Vocabulary& vocabulary, std::int32_t unk_id) : vocabulary_(vocabulary), unk_id_(unk_id) {}

  void encode(std::string_view word, std::uint32_t at, std::vector<Token>& out) const override;
  std::int32_t unk_id() const noexcept override { return unk_id_; }

 private:
  Vocabulary vocabulary_;
  std::int32_t unk_id_;
};

}  // namespace potstill::tokenizer
