#include "tokenizer/normalizers/bert.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

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

// Canonical decomposition in canonical order: by combining class within a run of non-starters, stable.
void decompose(Text& text) {
  struct Part {
    std::uint8_t combining;
    char32_t point;
    int change;
  };
  Rewrite out(text);
  std::vector<Part> run;
  const auto flush = [&] {
    std::stable_sort(run.begin(), run.end(), [](const Part& a, const Part& b) { return a.combining < b.combining; });
    for (const Part& part : run) out.put(part.point, part.change);
    run.clear();
  };
  const auto place = [&](char32_t point, int change) {
    const std::uint8_t combining = unicode::class_of(point).combining;
    if (combining != 0) return run.push_back({combining, point, change});
    flush();
    out.put(point, change);
  };
  std::array<std::uint32_t, 3> room;
  for (std::size_t at = 0; at < text.bytes.size();) {
    const char32_t point = utf8::next(text.bytes, at);
    if ((unicode::class_of(point).flags & unicode::kDecomposes) == 0) {
      place(point, 0);
    } else {
      int change = 0;
      for (const std::uint32_t part : unicode::decomposition(point, room)) place(part, std::exchange(change, 1));
    }
  }
  flush();
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

void lower(Text& text) {
  each_character(text, [](Rewrite& out, char32_t point, unicode::Class properties, std::size_t end) {
    if ((properties.flags & unicode::kLowers) == 0) return out.keep(end);
    int change = 0;
    for (const std::uint32_t part : unicode::lower(point)) out.put(part, std::exchange(change, 1));
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
    decompose(text);
    drop_marks(text);
  }
  if (options_.lowercase) lower(text);
}

}  // namespace potstill::tokenizer
