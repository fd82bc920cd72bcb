// What SentencePiece does to characters before anything else, by a map in its model.
#pragma once

#include <array>
#include <memory>
#include <string_view>

#include "still_generated.h"
#include "tokenizer/charsmap.h"
#include "tokenizer/normalizers/normalizer.h"

namespace potstill::tokenizer {

class Load;

// Schema table `Precompiled`.
class Precompiled final : public Normalizer {
 public:
  static std::unique_ptr<const Normalizer> make(const Load& load, const fb::Normalizer& header);

  explicit Precompiled(const Charsmap& map);

  void apply(Text& text) const override;
  std::size_t growth() const noexcept override { return 255; }  // a text of its map

 private:
  class Pass;

  // The end of the ASCII from byte `at` on that stays as it is.
  std::size_t plain_end(std::string_view text, std::size_t at) const noexcept;

  Charsmap map_;
  std::array<bool, 128> plain_{};  // characters without a key, CR and LF (a cluster) aside
};

}  // namespace potstill::tokenizer
