#include "tokenizer/normalizers/strip.h"

#include <cstddef>
#include <string_view>

#include "tokenizer/unicode.h"
#include "tokenizer/utf8.h"

namespace potstill::tokenizer {
namespace {

// The ends of the text without the white space there.
std::size_t first_of(std::string_view text) noexcept {
  std::size_t at = 0;
  while (at < text.size()) {
    std::size_t end = at;
    if (!unicode::is(utf8::next(text, end), unicode::kWhitespace)) break;
    at = end;
  }
  return at;
}

std::size_t last_of(std::string_view text) noexcept {
  std::size_t end = text.size();
  while (end > 0) {
    std::size_t begin = end - 1;
    while (!utf8::begins(text[begin])) --begin;
    std::size_t at = begin;
    if (!unicode::is(utf8::next(text, at), unicode::kWhitespace)) break;
    end = begin;
  }
  return end;
}

}  // namespace

std::unique_ptr<const Normalizer> Strip::make(const Load&, const fb::Normalizer& header) {
  const fb::Strip& given = *header.body_as_Strip();
  return std::make_unique<Strip>(given.left(), given.right());
}

void Strip::apply(Text& text) const {
  const std::size_t end = right_ ? last_of(text.bytes) : text.bytes.size();
  const std::size_t begin = left_ ? first_of(std::string_view(text.bytes).substr(0, end)) : 0;
  if (begin == 0 && end == text.bytes.size()) return;
  Rewrite out(text);
  out.drop(begin);
  out.keep(end);
}

}  // namespace potstill::tokenizer
