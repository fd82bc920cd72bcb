// The regular expressions that tokenizers of the hub cut and replace by, each as a loop over the characters: in linear
// time, and the leftmost match as the library of `tokenizers` (Oniguruma) finds it. Classes of characters are its too.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "still_generated.h"
#include "tokenizer/text.h"

namespace potstill::tokenizer {

// `text` stands for the text of the pattern, taken as it is.
//
//   Text          text
//   TextAtStart   \Atext
//   Spaces        " {2,}"
//   EndSpaces     \A +| +\z
//   WhiteSpace    \s+
//   OddSpaces     \s{2,}|[\n\r\t]
//   LineBreaks    [\n\r\t]
//   Number        \p{N}
//   ThreeNumbers  \p{N}{1,3}
//   ThreeDigits   [0-9][0-9][0-9]
//   Gpt2          's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//   Llama3        (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*
//                 |\s*[\r\n]+|\s+(?!\S)|\s+
//   Qwen2         Llama3 with \p{N} for \p{N}{1,3}
//   Qwen35        Qwen2 with [\p{L}\p{M}]+ for \p{L}+ and [^\s\p{L}\p{M}\p{N}]+ for [^\s\p{L}\p{N}]+
//   Gpt4o         X?A*B+C?|X?A+B*C?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+ where
//                 X [^\r\n\p{L}\p{N}], A [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}], B [\p{Ll}\p{Lm}\p{Lo}\p{M}],
//                 C (?i:'s|'t|'re|'ve|'m|'ll|'d)
//   Tekken        Gpt4o without C? and with \p{N} for \p{N}{1,3}
class Pattern {
 public:
  static constexpr std::size_t kMaxText = 64;  // bytes: looking for it takes that many steps a byte at worst

  // nullptr when the pattern can be looked for, else a text that says what is wrong.
  static const char* problem(const fb::Pattern* header) noexcept;

  // Of a checked header.
  explicit Pattern(const fb::Pattern& header)
      : Pattern(header.kind(), header.text() == nullptr ? std::string_view() : header.text()->string_view()) {}

  explicit Pattern(fb::PatternKind kind, std::string_view text = {});

  // The leftmost match in `text` that begins at byte `from` or later, `from` being 0 or the end of a match; empty at
  // the end when there is none.
  Range next(std::string_view text, std::size_t from) const noexcept { return find_(text, from, text_); }

 private:
  using Find = Range (*)(std::string_view text, std::size_t from, std::string_view wanted) noexcept;

  Find find_;
  std::string text_;
};

}  // namespace potstill::tokenizer
