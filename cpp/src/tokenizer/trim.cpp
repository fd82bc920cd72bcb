#include "tokenizer/trim.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tokenizer/unicode.h"
#include "tokenizer/utf8.h"

namespace potstill::tokenizer {
namespace {

constexpr char32_t kByteSpace = 0x120;

}  // namespace

Spaces spaces_of(std::string_view text) noexcept {
  Spaces found;
  if (!utf8::valid(text)) return found;  // of a damaged file
  bool all = true;
  for (std::size_t at = 0; at < text.size();) {
    const char32_t point = utf8::next(text, at);
    const bool space = point == kByteSpace || (unicode::class_of(point).flags & unicode::kWhitespace) != 0;
    all = all && space;
    if (all) ++found.leading;
    found.trailing = space ? found.trailing + 1 : 0;
  }
  return found;
}

void trim(bool prefix_space, std::span<Placed> tokens) noexcept {
  for (Placed& token : tokens) {
    auto [leading, trailing] = token.spaces;
    const bool first = &token == tokens.data() || token.begin == 0;
    if (prefix_space && first && leading == 1) leading = 0;
    token.begin = std::min(token.begin + leading, token.end);
    if (token.end >= trailing) token.end = std::max(token.end - trailing, token.begin);
  }
}

}  // namespace potstill::tokenizer
