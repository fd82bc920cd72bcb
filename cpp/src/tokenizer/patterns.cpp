#include "tokenizer/patterns.h"

#include <algorithm>
#include <cstdint>

#include "tokenizer/characters.h"

namespace potstill::tokenizer {
namespace {

using Flags = unicode::Flags;

Range nothing(std::string_view text) noexcept { return {text.size(), text.size()}; }

bool is_break(char byte) noexcept { return byte == '\r' || byte == '\n'; }

// ---- Runs: as many characters of a class as there are from kLeast to kMost.

struct Space {
  static Character at(std::string_view text, std::size_t at) noexcept { return {text[at] == ' ', at + 1}; }
};

struct WhiteSpace {
  static Character at(std::string_view text, std::size_t at) noexcept {
    const Character here = character(text, at);
    return {static_cast<Flags>(here.flags & unicode::kSpace), here.end};
  }
};

struct Number {
  static Character at(std::string_view text, std::size_t at) noexcept {
    const Character here = character(text, at);
    return {static_cast<Flags>(here.flags & unicode::kNumber), here.end};
  }
};

struct Digit {
  static Character at(std::string_view text, std::size_t at) noexcept {
    return {text[at] >= '0' && text[at] <= '9', at + 1};
  }
};

struct LineBreak {
  static Character at(std::string_view text, std::size_t at) noexcept {
    return {is_break(text[at]) || text[at] == '\t', at + 1};
  }
};

template <typename Class, std::size_t kLeast, std::size_t kMost>
Range find_run(std::string_view text, std::size_t from, std::string_view) noexcept {
  for (std::size_t at = from; at < text.size();) {
    const std::size_t begin = at;
    std::size_t count = 0;
    for (Character here{0, at}; at < text.size() && count < kMost; ++count, at = here.end) {
      here = Class::at(text, at);
      if (here.flags == 0) break;
    }
    if (count >= kLeast) return {begin, at};
    if (at < text.size()) at = character(text, at).end;  // it is not of the class
  }
  return nothing(text);
}

constexpr std::size_t kAny = SIZE_MAX;

// \s{2,}|[\n\r\t]
Range find_odd_spaces(std::string_view text, std::size_t from, std::string_view) noexcept {
  for (Range found{from, from};; from = found.end) {
    found = find_run<WhiteSpace, 1, kAny>(text, from, {});
    if (found.begin == found.end) return found;
    const bool one = character(text, found.begin).end == found.end;
    if (!one || LineBreak::at(text, found.begin).flags != 0) return found;
  }
}

// \A +| +\z
Range find_end_spaces(std::string_view text, std::size_t from, std::string_view) noexcept {
  if (from == 0 && !text.empty() && text[0] == ' ') return {0, std::min(text.find_first_not_of(' '), text.size())};
  const std::size_t last = text.find_last_not_of(' ');
  return {std::max(from, last == std::string_view::npos ? 0 : last + 1), text.size()};
}

// ---- Texts taken as they are.

Range find_text(std::string_view text, std::size_t from, std::string_view wanted) noexcept {
  const std::size_t at = text.find(wanted, from);
  return at == std::string_view::npos ? nothing(text) : Range{at, at + wanted.size()};
}

Range find_text_at_start(std::string_view text, std::size_t from, std::string_view wanted) noexcept {
  return from == 0 && text.starts_with(wanted) ? Range{0, wanted.size()} : nothing(text);
}

// ---- The family of GPT: what cuts a whole text into words. `at` below is always inside the text.

// The end of 's, 't, 'm, 'd, 're, 've or 'll at `at`, or `at`. kFold: in either case, U+017F (two bytes) being an s.
template <bool kFold>
std::size_t contraction(std::string_view text, std::size_t at) noexcept {
  if (text[at] != '\'') return at;
  const auto letter = [&](std::size_t i) {
    const char byte = at + i < text.size() ? text[at + i] : '\0';
    return kFold && byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + ('a' - 'A')) : byte;
  };
  const char first = letter(1), second = letter(2);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return at + 2;
  if (kFold && text.substr(at + 1).starts_with("\u017F")) return at + 3;
  const bool two = ((first == 'r' || first == 'v') && second == 'e') || (first == 'l' && second == 'l');
  return two ? at + 3 : at;
}

// \s+(?!\S)|\s+ at white space: all of it, but for one character where a word follows.
std::size_t spaces(std::string_view text, std::size_t at) noexcept {
  std::size_t end = at, last = at;
  while (end < text.size()) {
    const Character here = character(text, end);
    if ((here.flags & unicode::kSpace) == 0) return last == at ? end : last;
    last = end;
    end = here.end;
  }
  return end;
}

// \s*[\r\n]+|\s+(?!\S)|\s+ at white space: up to its last line break, else as above.
std::size_t lines_and_spaces(std::string_view text, std::size_t at) noexcept {
  std::size_t lines = at;
  for (std::size_t end = at; end < text.size();) {
    const Character here = character(text, end);
    if ((here.flags & unicode::kSpace) == 0) break;
    if (is_break(text[end])) lines = here.end;
    end = here.end;
  }
  return lines != at ? lines : spaces(text, at);
}

constexpr Flags kWordSpace = unicode::kLetter | unicode::kNumber | unicode::kSpace;

Range find_gpt2(std::string_view text, std::size_t from, std::string_view) noexcept {
  if (from == text.size()) return nothing(text);
  const std::size_t short_form = contraction<false>(text, from);
  if (short_form != from) return {from, short_form};
  std::size_t begin = from;
  if (text[begin] == ' ' && begin + 1 < text.size()) ++begin;
  const Character first = character(text, begin);
  const Flags kind = first.flags & kWordSpace;
  if ((kind & unicode::kSpace) != 0) return {from, spaces(text, from)};
  return {from, run(text, first.end, [=](Flags flags) { return (flags & kWordSpace) == kind; })};
}

// What all but GPT-2's have in common behind their letters: up to kNumbers numbers; ` ?[^kWord\s]+[\r\n]*`, which
// kSlash lets a slash end as well; white space.
template <std::size_t kNumbers, Flags kWord, bool kSlash>
std::size_t no_letters(std::string_view text, std::size_t from) noexcept {
  Character here = character(text, from);
  if ((here.flags & unicode::kNumber) != 0) {
    return find_run<Number, 1, kNumbers>(text, from, {}).end;
  }
  std::size_t begin = from;
  if (text[from] == ' ' && from + 1 < text.size()) {
    ++begin;
    here = character(text, begin);
  }
  if ((here.flags & (kWord | unicode::kSpace)) != 0) return lines_and_spaces(text, from);
  std::size_t end = run(text, here.end, [](Flags flags) { return (flags & (kWord | unicode::kSpace)) == 0; });
  while (end < text.size() && (is_break(text[end]) || (kSlash && text[end] == '/'))) ++end;
  return end;
}

// kLetters: what makes a word, letters or letters and marks.
template <std::size_t kNumbers, Flags kLetters>
Range find_llama3(std::string_view text, std::size_t from, std::string_view) noexcept {
  if (from == text.size()) return nothing(text);
  const std::size_t short_form = contraction<true>(text, from);
  if (short_form != from) return {from, short_form};
  const auto letters = [](Flags flags) { return (flags & kLetters) != 0; };
  const Character first = character(text, from);
  if (letters(first.flags)) return {from, run(text, first.end, letters)};
  if ((first.flags & unicode::kNumber) == 0 && !is_break(text[from])) {
    const std::size_t end = run(text, first.end, letters);
    if (end != first.end) return {from, end};
  }
  return {from, no_letters<kNumbers, static_cast<Flags>(kLetters | unicode::kNumber), false>(text, from)};
}

// A and B of patterns.h.
bool begins_word(Flags flags) noexcept {
  return (flags & (unicode::kLetter | unicode::kAnyMark)) != 0 && (flags & unicode::kLowerLetter) == 0;
}
bool goes_on(Flags flags) noexcept {
  return (flags & (unicode::kLetter | unicode::kAnyMark)) != 0 && (flags & unicode::kUpperLetter) == 0;
}

// A*B+ at `at`, or `at`. Where nothing of B follows A's run, the run gives back what is behind its last character of B.
std::size_t capitals_then_small(std::string_view text, std::size_t at) noexcept {
  std::size_t end = at, last = at;
  while (end < text.size()) {
    const Character here = character(text, end);
    if (!begins_word(here.flags)) break;
    end = here.end;
    if (goes_on(here.flags)) last = end;
  }
  const std::size_t small = run(text, end, goes_on);
  return small != end ? small : last;
}

// A+B* at `at`, or `at`.
std::size_t capitals(std::string_view text, std::size_t at) noexcept {
  const std::size_t end = run(text, at, begins_word);
  return end == at ? at : run(text, end, goes_on);
}

template <std::size_t kNumbers, bool kContractions>
Range find_gpt4o(std::string_view text, std::size_t from, std::string_view) noexcept {
  if (from == text.size()) return nothing(text);
  const Character first = character(text, from);
  const bool prefix = (first.flags & (unicode::kLetter | unicode::kNumber)) == 0 && !is_break(text[from]);
  const std::size_t behind = prefix ? first.end : from;
  for (const auto word : {capitals_then_small, capitals}) {
    for (const std::size_t begin : {behind, from}) {
      const std::size_t end = word(text, begin);
      if (end == begin) continue;
      const bool more = kContractions && end < text.size();
      return {from, more ? contraction<true>(text, end) : end};
    }
  }
  constexpr Flags kWord = unicode::kLetter | unicode::kNumber;
  return {from, no_letters<kNumbers, kWord, true>(text, from)};
}

// ----

using Find = Range (*)(std::string_view text, std::size_t from, std::string_view wanted) noexcept;

struct Row {
  fb::PatternKind kind;
  Find find;
};

constexpr Flags kMarked = unicode::kLetter | unicode::kAnyMark;

constexpr Row kRows[] = {
    {fb::PatternKind::Text, find_text},
    {fb::PatternKind::TextAtStart, find_text_at_start},
    {fb::PatternKind::Spaces, find_run<Space, 2, kAny>},
    {fb::PatternKind::EndSpaces, find_end_spaces},
    {fb::PatternKind::WhiteSpace, find_run<WhiteSpace, 1, kAny>},
    {fb::PatternKind::OddSpaces, find_odd_spaces},
    {fb::PatternKind::LineBreaks, find_run<LineBreak, 1, 1>},
    {fb::PatternKind::Number, find_run<Number, 1, 1>},
    {fb::PatternKind::ThreeNumbers, find_run<Number, 1, 3>},
    {fb::PatternKind::ThreeDigits, find_run<Digit, 3, 3>},
    {fb::PatternKind::Gpt2, find_gpt2},
    {fb::PatternKind::Llama3, find_llama3<3, unicode::kLetter>},
    {fb::PatternKind::Qwen2, find_llama3<1, unicode::kLetter>},
    {fb::PatternKind::Qwen35, find_llama3<1, kMarked>},
    {fb::PatternKind::Gpt4o, find_gpt4o<3, true>},
    {fb::PatternKind::Tekken, find_gpt4o<1, false>},
};

Find finder(fb::PatternKind kind) noexcept {
  for (const Row& row : kRows) {
    if (row.kind == kind) return row.find;
  }
  return nullptr;
}

bool has_text(fb::PatternKind kind) noexcept {
  return kind == fb::PatternKind::Text || kind == fb::PatternKind::TextAtStart;
}

}  // namespace

const char* Pattern::problem(const fb::Pattern* header) noexcept {
  if (header == nullptr) return "a step has no pattern";
  if (finder(header->kind()) == nullptr) return "a pattern is of a kind that this core does not know";
  if (!has_text(header->kind())) return nullptr;
  const std::size_t size = header->text() == nullptr ? 0 : header->text()->size();
  if (size == 0 || size > kMaxText) return "the text of a pattern is not of 1 to 64 bytes";
  return utf8::valid(header->text()->string_view()) ? nullptr : "the text of a pattern is not valid UTF-8";
}

Pattern::Pattern(fb::PatternKind kind, std::string_view text) : find_(finder(kind)), text_(text) {}

}  // namespace potstill::tokenizer
