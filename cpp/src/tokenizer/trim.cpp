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

struct Spaces {
  std::uint32_t leading = 0, trailing = 0;  // characters
};

Spaces spaces_of(std::string_view piece) noexcept {
  Spaces found;
  if (!utf8::valid(piece)) return found;  // of a damaged file
  bool all = true;
  for (std::size_t at = 0; at < piece.size();) {
    const char32_t point = utf8::next(piece, at);
    const bool space = point == kByteSpace || (unicode::class_of(point).flags & unicode::kWhitespace) != 0;
    all = all && space;
    if (all) ++found.leading;
    found.trailing = space ? found.trailing + 1 : 0;
  }
  return found;
}

}  // namespace

Range without_spaces(std::string_view text, Range range, bool prefix_space) noexcept {
  std::size_t begin = range.end, end = range.begin, spaces = 0;  // of what is no white space
  for (std::size_t at = range.begin; at < range.end;) {
    const std::size_t here = at;
    if ((unicode::class_of(utf8::next(text, at)).flags & unicode::kWhitespace) != 0) {
      if (begin == range.end) ++spaces;
      continue;
    }
    begin = std::min(begin, here);
    end = at;
  }
  if (begin == range.end) return range;
  return {prefix_space && spaces == 1 ? range.begin : begin, end};
}

void trim(const Vocabulary& vocabulary, bool prefix_space, std::span<Token> tokens) noexcept {
  for (Token& token : tokens) {
    auto [leading, trailing] = spaces_of(vocabulary.piece(static_cast<std::uint32_t>(token.id)));
    const bool first = &token == tokens.data() || token.begin == 0;
    if (prefix_space && first && leading == 1) leading = 0;
    token.begin = std::min(token.begin + leading, token.end);
    if (token.end >= trailing) token.end = std::max(token.end - trailing, token.begin);
  }
}

}  // namespace potstill::tokenizer
