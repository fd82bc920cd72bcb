// What makes ids of words. One file a model, and its row in load.cpp.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace potstill::tokenizer {

// An id, and bytes [begin, end) of the normalized text that it stands for.
struct Token {
  std::int32_t id = 0;
  std::uint32_t begin = 0, end = 0;
};

class Model {
 public:
  virtual ~Model() = default;

  // Appends the tokens of a word that begins at byte `at`: valid UTF-8, not empty, of any length. Safe to call from
  // many threads at once; the time must be linear in the word, times a constant of the model.
  virtual void encode(std::string_view word, std::uint32_t at, std::vector<Token>& out) const = 0;

  // What stands for a word of which normalization leaves nothing, where a tagger is asked for it; -1: nothing does.
  virtual std::int32_t unk_id() const noexcept = 0;

  // Whether the text of an unknown token is what it stands for, not its piece.
  virtual bool unknown_is_written() const noexcept { return false; }
};

}  // namespace potstill::tokenizer
