// Normalizers, pre-tokenizers and the model's words in one pass, where all that is wanted is ids: what the stages do
// one after another, for the steps of one family. tokenizer.cpp takes it where the file's steps are exactly those.
#pragma once

#include <string_view>
#include <vector>

#include "tokenizer/models/model.h"

namespace potstill::tokenizer {

class Splitter {
 public:
  virtual ~Splitter() = default;

  // Gives each word of `text` to `model`, in order; the places of the tokens mean nothing. `text` is valid UTF-8 and
  // lies between two added tokens or an end of the whole. Safe to call from many threads at once, in linear time.
  virtual void split(std::string_view text, const Model& model, std::vector<Token>& out) const = 0;
};

}  // namespace potstill::tokenizer
