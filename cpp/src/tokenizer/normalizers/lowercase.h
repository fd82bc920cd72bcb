// Lower case, character by character.
#pragma once

#include <memory>

#include "still_generated.h"
#include "tokenizer/normalizers/normalizer.h"

namespace potstill::tokenizer {

class Load;

class Lowercase final : public Normalizer {
 public:
  static std::unique_ptr<const Normalizer> make(const Load& load, const fb::Normalizer& header);

  void apply(Text& text) const override;
  std::size_t growth() const noexcept override { return 2; }  // U+023A: 2 bytes become 3
};

}  // namespace potstill::tokenizer
