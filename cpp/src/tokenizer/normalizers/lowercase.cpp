#include "tokenizer/normalizers/lowercase.h"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "tokenizer/unicode.h"
#include "tokenizer/utf8.h"

namespace potstill::tokenizer {
namespace {

// Lower-cases in place what keeps its size, as nearly all does. The place of the first that does not, or the end.
std::size_t lower_in_place(std::string& bytes) {
  unicode::Room room;
  std::string small;
  for (std::size_t at = 0; at < bytes.size();) {
    if (static_cast<unsigned char>(bytes[at]) < 0x80) {
      if (bytes[at] >= 'A' && bytes[at] <= 'Z') bytes[at] = static_cast<char>(bytes[at] | 0x20);
      ++at;
      continue;
    }
    std::size_t end = at;
    const char32_t point = utf8::next(bytes, end);
    if (unicode::is(point, unicode::kLowers)) {
      small.clear();
      for (const char32_t part : unicode::lower(point, room)) utf8::append(small, part);
      if (small.size() != end - at) return at;
      bytes.replace(at, small.size(), small);
    }
    at = end;
  }
  return bytes.size();
}

}  // namespace

std::unique_ptr<const Normalizer> Lowercase::make(const Load&, const fb::Normalizer&) {
  return std::make_unique<Lowercase>();
}

void Lowercase::apply(Text& text) const {
  std::size_t at = lower_in_place(text.bytes);
  if (at == text.bytes.size()) return;
  const std::string_view bytes = text.bytes;
  unicode::Room room;
  Rewrite out(text);
  while (at < bytes.size()) {
    std::size_t end = at;
    const char32_t point = utf8::next(bytes, end);
    if (unicode::is(point, unicode::kLowers)) {
      out.keep(at);
      int change = 0;
      for (const char32_t part : unicode::lower(point, room)) out.put(part, std::exchange(change, 1));
    }
    at = end;
  }
  out.keep(bytes.size());
}

}  // namespace potstill::tokenizer
