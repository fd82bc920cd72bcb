#include "tokenizer/text.h"

#include <cstddef>
#include <utility>

#include "tokenizer/utf8.h"

namespace potstill::tokenizer {
namespace {

std::size_t after(std::string_view text, std::size_t at) noexcept {
  do ++at;
  while (at < text.size() && !utf8::begins(text[at]));
  return at;
}

}  // namespace

Text::Text(std::string_view part, std::uint32_t at, bool track) : bytes(part), tracked(track), base(at) {
  if (!tracked) return;
  origins.reserve(bytes.size());
  for (std::size_t begin = 0; begin < bytes.size();) {
    const std::size_t end = after(bytes, begin);
    const Origin origin{base + static_cast<std::uint32_t>(begin), base + static_cast<std::uint32_t>(end)};
    origins.insert(origins.end(), end - begin, origin);
    begin = end;
  }
}

Text Text::part(std::size_t begin, std::size_t end) const {
  Text found;
  found.bytes.assign(bytes, begin, end - begin);
  found.tracked = tracked;
  found.base = base;
  if (tracked) {
    found.base = origins[begin].begin;
    const auto from = origins.begin();
    found.origins.assign(from + static_cast<std::ptrdiff_t>(begin), from + static_cast<std::ptrdiff_t>(end));
  }
  return found;
}

Rewrite::Rewrite(Text& text) : text_(text) {
  bytes_.reserve(text.bytes.size() + 16);
  if (text.tracked) origins_.reserve(text.bytes.size() + 16);
}

Rewrite::~Rewrite() {
  text_.bytes = std::move(bytes_);
  text_.origins = std::move(origins_);
}

void Rewrite::put(char32_t point, int change) {
  const std::size_t before = bytes_.size();
  utf8::append(bytes_, point);
  if (text_.tracked) {
    Origin origin{text_.base, text_.base};
    if (change <= 0) {
      origin = text_.origins[at_];
    } else if (at_ != 0) {
      origin = text_.origins[at_ - 1];
    }
    origins_.insert(origins_.end(), bytes_.size() - before, origin);
  }
  for (; change <= 0 && at_ < text_.bytes.size(); ++change) at_ = after(text_.bytes, at_);
}

void Rewrite::insert(std::string_view utf8) {
  for (std::size_t at = 0; at < utf8.size();) put(utf8::next(utf8, at), 1);
}

void Rewrite::keep(std::size_t end) {
  bytes_.append(text_.bytes, at_, end - at_);
  if (text_.tracked) {
    const auto from = text_.origins.begin();
    origins_.insert(origins_.end(), from + static_cast<std::ptrdiff_t>(at_), from + static_cast<std::ptrdiff_t>(end));
  }
  at_ = end;
}

}  // namespace potstill::tokenizer
