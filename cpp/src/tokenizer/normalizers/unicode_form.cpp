#include "tokenizer/normalizers/unicode_form.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/load.h"
#include "tokenizer/utf8.h"

namespace potstill::tokenizer {

// Characters on their way: decomposed, put into canonical order, composed again. What `change` is is said at Rewrite;
// every character keeps its own on the way, and one composed of two has theirs together, as in `tokenizers`.
class UnicodeForm::Pass {
 public:
  Pass(const UnicodeForm& form, Text& text) : form_(form), out_(text) {}

  void keep(std::size_t end) { out_.keep(end); }

  void add(char32_t point) {
    const unicode::Flags flags = unicode::class_of(point).flags;
    if (form_.compatible_ && (flags & unicode::kCompatible) != 0) return add_parts(unicode::compatible(point, room_));
    if ((flags & unicode::kDecomposes) != 0) return add_parts(unicode::decomposition(point, room_));
    order({point, 0, unicode::class_of(point).combining});
  }

  // Writes what waits for more characters.
  void finish() {
    flush_marks();
    if (has_starter_) flush_starter();
    has_starter_ = false;
  }

 private:
  struct Part {
    char32_t point;
    int change;
    std::uint8_t combining;
  };

  void add_parts(std::span<const char32_t> parts) {
    int change = 0;
    for (const char32_t part : parts) order({part, std::exchange(change, 1), unicode::class_of(part).combining});
  }

  // Canonical order is by combining class within a run of non-starters, stable.
  void order(const Part& part) {
    if (part.combining != 0) return marks_.push_back(part);
    flush_marks();
    compose(part);
  }

  void flush_marks() {
    if (marks_.size() > 1) {
      std::stable_sort(marks_.begin(), marks_.end(),
                       [](const Part& a, const Part& b) { return a.combining < b.combining; });
    }
    for (const Part& mark : marks_) compose(mark);
    marks_.clear();
  }

  // A character joins the starter before it unless one of the same or a higher class stands between them.
  void compose(const Part& part) {
    if (!form_.composes_ || (!has_starter_ && part.combining != 0)) return out_.put(part.point, part.change);
    if (has_starter_) {
      if (between_.empty() || between_.back().combining < part.combining) {
        if (const char32_t joined = unicode::composed(starter_.point, part.point); joined != 0) {
          starter_ = {joined, starter_.change + part.change - 1, 0};
          return;
        }
      }
      if (part.combining != 0) return between_.push_back(part);
      flush_starter();
    }
    starter_ = part;
    has_starter_ = true;
  }

  void flush_starter() {
    out_.put(starter_.point, starter_.change);
    for (const Part& mark : between_) out_.put(mark.point, mark.change);
    between_.clear();
  }

  const UnicodeForm& form_;
  Rewrite out_;
  unicode::Room room_;
  std::vector<Part> marks_;  // a run of non-starters, in the order of the text
  bool has_starter_ = false;
  Part starter_{};             // what the next ones may join
  std::vector<Part> between_;  // what did not join it, in canonical order
};

std::unique_ptr<const Normalizer> UnicodeForm::make(const Load& load, const fb::Normalizer& header) {
  const fb::UnicodeForm form = header.body_as_Unicode()->form();
  if (form > fb::UnicodeForm::MAX) load.refuse("there is no such normal form");
  return std::make_unique<UnicodeForm>(form);
}

UnicodeForm::UnicodeForm(fb::UnicodeForm form)
    : composes_(form == fb::UnicodeForm::Nfc || form == fb::UnicodeForm::Nfkc),
      compatible_(form == fb::UnicodeForm::Nfkc || form == fb::UnicodeForm::Nfkd),
      unstable_(composes_ ? unicode::kUnstable : unicode::kDecomposes) {
  if (compatible_) unstable_ |= unicode::kCompatible;
}

void UnicodeForm::apply(Text& text) const {
  const std::string_view bytes = text.bytes;
  // Moves `at` to the next unstable character, or to the stable one before it where that may be joined.
  const auto skip_stable = [&](std::size_t at) {
    for (std::size_t last = at; at < bytes.size();) {
      if (static_cast<unsigned char>(bytes[at]) < 0x80) {
        last = at++;
        continue;
      }
      std::size_t end = at;
      const unicode::Class found = unicode::class_of(utf8::next(bytes, end));
      if (found.combining != 0 || (found.flags & unstable_) != 0) return composes_ ? last : at;
      last = std::exchange(at, end);
    }
    return at;
  };
  std::size_t at = skip_stable(0);
  if (at == bytes.size()) return;
  Pass pass(*this, text);
  while (true) {
    pass.keep(at);
    if (at == bytes.size()) return;
    // To the next stable character: what the first one, stable or not, and the others become does not depend on more.
    bool first = true;
    while (at < bytes.size()) {
      std::size_t end = at;
      const char32_t point = utf8::next(bytes, end);
      const unicode::Class found = unicode::class_of(point);
      if (!first && found.combining == 0 && (found.flags & unstable_) == 0) break;
      pass.add(point);
      at = end;
      first = false;
    }
    pass.finish();
    at = skip_stable(at);
  }
}

}  // namespace potstill::tokenizer
