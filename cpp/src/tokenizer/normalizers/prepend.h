// Puts a text before a text that is not empty.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "still_generated.h"
#include "tokenizer/normalizers/normalizer.h"

namespace potstill::tokenizer {

class Load;

// Schema table `Prepend`.
class Prepend final : public Normalizer {
 public:
  static constexpr std::size_t kMaxText = 64;  // bytes

  static std::unique_ptr<const Normalizer> make(const Load& load, const fb::Normalizer& header);

  // `prefix` is UTF-8, not empty.
  explicit Prepend(std::string_view prefix) : prefix_(prefix) {}

  void apply(Text& text) const override;

 private:
  std::string prefix_;
};

}  // namespace potstill::tokenizer
