// The steps before the model, normalizers and pre-tokenizers together: text in, words out. One file a splitter, and its
// row in load.cpp.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/models/model.h"

namespace potstill::tokenizer {

class Splitter {
 public:
  virtual ~Splitter() = default;

  // Gives each word of `text` to `model`, in order. `text` is valid UTF-8 and lies between two added tokens or an end
  // of the whole. Safe to call from many threads at once, in linear time.
  virtual void split(std::string_view text, const Model& model, std::vector<std::int32_t>& out) const = 0;
};

}  // namespace potstill::tokenizer
