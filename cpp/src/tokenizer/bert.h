// BertNormalizer and BertPreTokenizer in one pass: each character goes through all steps at once, so that memory is one
// word. README.md has the steps.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "tokenizer/splitter.h"

namespace potstill::tokenizer {

class Load;

class Bert final : public Splitter {
 public:
  // Schema table `BertNormalizer`.
  struct Options {
    bool clean_text = true;
    bool handle_chinese_chars = true;
    bool strip_accents = true;
    bool lowercase = true;
  };

  static std::unique_ptr<const Splitter> make(const Load& load);

  explicit Bert(const Options& options);

  void split(std::string_view text, const Model& model, std::vector<std::int32_t>& out) const override;

 private:
  class Pass;

  Options options_;
  std::array<std::uint8_t, 128> ascii_{};  // what becomes of an ASCII byte, see bert.cpp
};

}  // namespace potstill::tokenizer
