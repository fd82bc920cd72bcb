// What makes ids of words. One file a model, and its row in load.cpp.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace potstill::tokenizer {

class Model {
 public:
  virtual ~Model() = default;

  // Appends the ids of a word: valid UTF-8, not empty, of any length. Safe to call from many threads at once; the time
  // must be linear in the word, times a constant of the model.
  virtual void encode(std::string_view word, std::vector<std::int32_t>& out) const = 0;

  // What stands for a word of which normalization leaves nothing, where a tagger is asked for it.
  virtual std::int32_t unk_id() const noexcept = 0;
};

}  // namespace potstill::tokenizer
