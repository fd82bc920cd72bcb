#include "tokenizer/graphemes.h"

#include "tokenizer/unicode.h"
#include "tokenizer/utf8.h"

namespace potstill::tokenizer {
namespace {

using enum Grapheme;

Grapheme grapheme_of(char32_t point) noexcept {
  const auto found = static_cast<Grapheme>(unicode::class_of(point).grapheme);
  return found == kSyllable && (point - 0xAC00) % 28 != 0 ? kClosedSyllable : found;
}

bool is_control(Grapheme grapheme) noexcept { return grapheme == kControl || grapheme == kCr || grapheme == kLf; }

bool goes_on(Grapheme grapheme) noexcept { return grapheme >= kExtend && grapheme <= kSpacingMark; }

// What has been seen of a cluster.
class Cluster {
 public:
  explicit Cluster(Grapheme first) noexcept { add(first); }

  bool joins(Grapheme next) const noexcept {
    if (is_control(last_) || is_control(next)) return last_ == kCr && next == kLf;
    if (goes_on(next) || last_ == kPrepend) return true;
    switch (next) {
      case kConsonant:
        return conjunct_ == kLinked;
      case kPictographic:
        return emoji_ == kLinked && last_ == kZwj;
      case kLead:
      case kSyllable:
      case kClosedSyllable:
        return last_ == kLead;
      case kVowel:
        return last_ == kLead || last_ == kVowel || last_ == kSyllable;
      case kTail:
        return last_ == kVowel || last_ == kSyllable || last_ == kTail || last_ == kClosedSyllable;
      default:
        return false;
    }
  }

  void add(Grapheme next) noexcept {
    last_ = next;
    if (next == kConsonant) {
      conjunct_ = kBegun;
    } else if (next == kLinker) {
      if (conjunct_ == kBegun) conjunct_ = kLinked;
    } else if (next != kJoinedExtend && next != kZwj) {
      conjunct_ = kNone;
    }
    if (next == kPictographic) {
      emoji_ = kBegun;
    } else if (next == kZwj) {
      emoji_ = emoji_ == kBegun ? kLinked : kNone;
    } else if (emoji_ == kLinked || (next != kExtend && next != kJoinedExtend && next != kLinker)) {
      emoji_ = kNone;
    }
  }

 private:
  enum Progress : std::uint8_t { kNone, kBegun, kLinked };

  Grapheme last_ = kOther;
  Progress conjunct_ = kNone;  // a consonant and what may stand between it and the next
  Progress emoji_ = kNone;     // a pictograph and what may stand between it and the next
};

}  // namespace

std::size_t cluster_end(std::string_view text, std::size_t at) noexcept {
  Cluster cluster(grapheme_of(utf8::next(text, at)));
  while (at < text.size()) {
    std::size_t end = at;
    const Grapheme next = grapheme_of(utf8::next(text, end));
    if (!cluster.joins(next)) break;
    cluster.add(next);
    at = end;
  }
  return at;
}

}  // namespace potstill::tokenizer
