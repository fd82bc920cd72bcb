#include "tokenizer/normalizers/strip_accents.h"

#include <cstddef>
#include <string_view>

#include "tokenizer/unicode.h"
#include "tokenizer/utf8.h"

namespace potstill::tokenizer {

std::unique_ptr<const Normalizer> StripAccents::make(const Load&, const fb::Normalizer&) {
  return std::make_unique<StripAccents>();
}

void StripAccents::apply(Text& text) const {
  const std::string_view bytes = text.bytes;
  Rewrite out(text);
  for (std::size_t at = 0; at < bytes.size();) {
    if (static_cast<unsigned char>(bytes[at]) < 0x80) {
      ++at;
      continue;
    }
    std::size_t end = at;
    if (unicode::is(utf8::next(bytes, end), unicode::kCombiningMark)) {
      out.keep(at);
      out.drop(end);
    }
    at = end;
  }
  out.keep(bytes.size());
}

}  // namespace potstill::tokenizer
