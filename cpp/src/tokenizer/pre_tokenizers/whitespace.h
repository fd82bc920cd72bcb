// Words of \w (letters, marks, digits, "_") and words of what is neither \w nor white space.
#pragma once

#include <memory>

#include "still_generated.h"
#include "tokenizer/pre_tokenizers/pre_tokenizer.h"

namespace potstill::tokenizer {

class Load;

class Whitespace final : public PreTokenizer {
 public:
  static std::unique_ptr<const PreTokenizer> make(const Load& load, const fb::PreTokenizer& header);

  void split(Words& words) const override;
};

// White space parts words.
class WhitespaceSplit final : public PreTokenizer {
 public:
  static std::unique_ptr<const PreTokenizer> make(const Load& load, const fb::PreTokenizer& header);

  void split(Words& words) const override;
};

}  // namespace potstill::tokenizer
