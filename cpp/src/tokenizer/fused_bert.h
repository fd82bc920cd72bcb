// BertNormalizer and BertPreTokenizer in one pass: each character goes through all steps at once, so that memory is one
// word. 3 times as fast as the two stages (normalizers/bert, pre_tokenizers/bert), which also know places.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/normalizers/bert.h"
#include "tokenizer/splitter.h"

namespace potstill::tokenizer {

class FusedBert final : public Splitter {
 public:
  explicit FusedBert(const BertOptions& options);

  void split(std::string_view text, const Model& model, std::vector<Token>& out) const override;

 private:
  class Pass;

  BertOptions options_;
  std::array<std::uint8_t, 128> ascii_{};  // what becomes of an ASCII byte, see fused_bert.cpp
};

}  // namespace potstill::tokenizer
