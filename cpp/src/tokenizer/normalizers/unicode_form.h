// NFC, NFD, NFKC and NFKD.
#pragma once

#include <memory>

#include "still_generated.h"
#include "tokenizer/normalizers/normalizer.h"
#include "tokenizer/unicode.h"

namespace potstill::tokenizer {

class Load;

// Schema table `Unicode`.
class UnicodeForm final : public Normalizer {
 public:
  static std::unique_ptr<const Normalizer> make(const Load& load, const fb::Normalizer& header);

  explicit UnicodeForm(fb::UnicodeForm form);

  void apply(Text& text) const override;
  std::size_t growth() const noexcept override { return 12; }  // U+FDFA: 3 bytes become 33

 private:
  class Pass;

  bool composes_;
  bool compatible_;

  // A character without these, which does not combine, stays as it is unless what follows joins it.
  unicode::Flags unstable_;
};

}  // namespace potstill::tokenizer
