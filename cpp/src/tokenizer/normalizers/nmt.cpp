#include "tokenizer/normalizers/nmt.h"

#include <cstddef>
#include <string_view>

#include "tokenizer/utf8.h"

namespace potstill::tokenizer {
namespace {

bool is_dropped(char32_t point) noexcept {
  if (point < 0x20) return point != 0 && point != '\t' && point != '\n' && point != '\f' && point != '\r';
  return point == 0x7F || point == 0x8F || point == 0x9F;
}

bool is_blank(char32_t point) noexcept {
  if (point < 0x20) return point != 0;  // what is_dropped leaves
  return point == 0x1680 || (point >= 0x200B && point <= 0x200F) || point == 0x2028 || point == 0x2029 ||
         point == 0x2581 || point == 0xFEFF || point == 0xFFFD;
}

}  // namespace

std::unique_ptr<const Normalizer> Nmt::make(const Load&, const fb::Normalizer&) { return std::make_unique<Nmt>(); }

void Nmt::apply(Text& text) const {
  const std::string_view bytes = text.bytes;
  Rewrite out(text);
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t begin = at;
    const char32_t point = utf8::next(bytes, at);
    if (is_dropped(point)) {
      out.keep(begin);
      out.drop(at);
    } else if (is_blank(point)) {
      out.keep(begin);
      out.put(U' ');
    }
  }
  out.keep(bytes.size());
}

}  // namespace potstill::tokenizer
