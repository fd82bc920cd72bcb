// Cuts at the matches of a pattern.
#pragma once

#include <memory>
#include <utility>

#include "still_generated.h"
#include "tokenizer/patterns.h"
#include "tokenizer/pre_tokenizers/pre_tokenizer.h"

namespace potstill::tokenizer {

class Load;

class Split final : public PreTokenizer {
 public:
  static std::unique_ptr<const PreTokenizer> make(const Load& load, const fb::PreTokenizer& header);

  // invert: what lies between matches counts as a match, and the matches as what lies between.
  Split(Pattern pattern, fb::Behavior behavior, bool invert)
      : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}

  void split(Words& words) const override;

 private:
  Pattern pattern_;
  fb::Behavior behavior_;
  bool invert_;
};

}  // namespace potstill::tokenizer
