#include "tokenizer/normalizers/replace.h"

#include "tokenizer/load.h"
#include "tokenizer/utf8.h"

namespace potstill::tokenizer {

std::unique_ptr<const Normalizer> Replace::make(const Load& load, const fb::Normalizer& header) {
  const fb::Replace& given = *header.body_as_Replace();
  load.refuse(Pattern::problem(given.pattern()));
  const std::string_view by = given.text() == nullptr ? std::string_view() : given.text()->string_view();
  if (by.size() > kMaxText || !utf8::valid(by)) load.refuse("what Replace puts in must be up to 64 bytes of UTF-8");
  return std::make_unique<Replace>(Pattern(*given.pattern()), by);
}

void Replace::apply(Text& text) const {
  const std::string_view bytes = text.bytes;
  Range found = pattern_.next(bytes, 0);
  if (found.begin == found.end) return;
  Rewrite out(text);
  while (found.begin != found.end) {
    out.keep(found.begin);
    out.drop(found.end);
    out.insert(by_);
    found = pattern_.next(bytes, found.end);
  }
  out.keep(bytes.size());
}

}  // namespace potstill::tokenizer
