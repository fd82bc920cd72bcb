#include "tokenizer/normalizers/bert.h"

#include <cstddef>

#include "tokenizer/normalizers/lowercase.h"
#include "tokenizer/normalizers/unicode_form.h"
#include "tokenizer/unicode.h"
#include "tokenizer/utf8.h"

namespace potstill::tokenizer {
namespace {

// Calls change(rewrite, point, its properties) for every character of a text; what it does not keep or put is dropped.
template <typename Change>
void each_character(Text& text, const Change& change) {
  Rewrite rewrite(text);
  for (std::size_t at = 0; at < text.bytes.size();) {
    const char32_t point = utf8::next(text.bytes, at);
    change(rewrite, point, unicode::class_of(point), at);
  }
}

void clean(Text& text) {
  each_character(text, [](Rewrite& out, char32_t, unicode::Class properties, std::size_t end) {
    if ((properties.flags & unicode::kControl) != 0) {
      out.drop(end);
    } else if ((properties.flags & unicode::kWhitespace) != 0) {
      out.put(U' ');
    } else {
      out.keep(end);
    }
  });
}

void set_chinese_apart(Text& text) {
  each_character(text, [](Rewrite& out, char32_t point, unicode::Class properties, std::size_t end) {
    if ((properties.flags & unicode::kChinese) == 0) return out.keep(end);
    out.put(U' ');
    out.put(point, 1);
    out.put(U' ', 1);
  });
}

void drop_marks(Text& text) {
  each_character(text, [](Rewrite& out, char32_t, unicode::Class properties, std::size_t end) {
    if ((properties.flags & unicode::kMark) != 0) {
      out.drop(end);
    } else {
      out.keep(end);
    }
  });
}

}  // namespace

BertOptions BertNormalizer::options(const fb::Normalizer& header) {
  const fb::BertNormalizer& given = *header.body_as_BertNormalizer();
  return {given.clean_text(), given.handle_chinese_chars(), given.strip_accents(), given.lowercase()};
}

std::unique_ptr<const Normalizer> BertNormalizer::make(const Load&, const fb::Normalizer& header) {
  return std::make_unique<BertNormalizer>(options(header));
}

void BertNormalizer::apply(Text& text) const {
  if (options_.clean_text) clean(text);
  if (options_.handle_chinese_chars) set_chinese_apart(text);
  if (options_.strip_accents) {
    UnicodeForm(fb::UnicodeForm::Nfd).apply(text);
    drop_marks(text);
  }
  if (options_.lowercase) Lowercase().apply(text);
}

}  // namespace potstill::tokenizer
