// White space at the ends of a text goes.
#pragma once

#include <memory>

#include "still_generated.h"
#include "tokenizer/normalizers/normalizer.h"

namespace potstill::tokenizer {

class Load;

// Schema table `Strip`.
class Strip final : public Normalizer {
 public:
  static std::unique_ptr<const Normalizer> make(const Load& load, const fb::Normalizer& header);

  Strip(bool left, bool right) : left_(left), right_(right) {}

  void apply(Text& text) const override;

 private:
  bool left_;
  bool right_;
};

}  // namespace potstill::tokenizer
