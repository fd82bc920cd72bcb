// BertNormalizer: cleaning, Chinese characters apart, accents, lower case.
#pragma once

#include <memory>

#include "still_generated.h"
#include "tokenizer/normalizers/normalizer.h"

namespace potstill::tokenizer {

class Load;

// Schema table `BertNormalizer`.
struct BertOptions {
  bool clean_text = true;
  bool handle_chinese_chars = true;
  bool strip_accents = true;
  bool lowercase = true;
};

class BertNormalizer final : public Normalizer {
 public:
  static std::unique_ptr<const Normalizer> make(const Load& load, const fb::Normalizer& header);
  static BertOptions options(const fb::Normalizer& header);

  explicit BertNormalizer(const BertOptions& options) : options_(options) {}

  void apply(Text& text) const override;
  std::size_t growth() const noexcept override { return 12; }  // a character apart, decomposed

 private:
  BertOptions options_;
};

}  // namespace potstill::tokenizer
