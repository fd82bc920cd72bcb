// A step that changes the characters of a text before it is cut into words. One file a step, and its row in load.cpp.
#pragma once

#include <cstddef>

#include "tokenizer/text.h"

namespace potstill::tokenizer {

class Normalizer {
 public:
  virtual ~Normalizer() = default;

  // Changes a text in place, its origins with it. Safe to call from many threads at once, in linear time.
  virtual void apply(Text& text) const = 0;

  // Bytes that one byte of a text may become, at most. load.cpp bounds the product over all steps.
  virtual std::size_t growth() const noexcept { return 1; }
};

}  // namespace potstill::tokenizer
