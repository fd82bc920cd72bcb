// Puts a text in for each match of a pattern.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "still_generated.h"
#include "tokenizer/normalizers/normalizer.h"
#include "tokenizer/patterns.h"

namespace potstill::tokenizer {

class Load;

// Schema table `Replace`.
class Replace final : public Normalizer {
 public:
  static constexpr std::size_t kMaxText = 64;  // bytes

  static std::unique_ptr<const Normalizer> make(const Load& load, const fb::Normalizer& header);

  Replace(Pattern pattern, std::string_view by) : pattern_(std::move(pattern)), by_(by) {}

  void apply(Text& text) const override;
  std::size_t growth() const noexcept override { return std::max<std::size_t>(by_.size(), 1); }

 private:
  Pattern pattern_;
  std::string by_;
};

}  // namespace potstill::tokenizer
