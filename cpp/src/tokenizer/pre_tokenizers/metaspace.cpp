#include "tokenizer/pre_tokenizers/metaspace.h"

#include "tokenizer/load.h"
#include "tokenizer/pre_tokenizers/rebuild.h"
#include "tokenizer/utf8.h"

namespace potstill::tokenizer {

std::unique_ptr<const PreTokenizer> Metaspace::make(const Load& load, const fb::PreTokenizer& header) {
  const fb::Metaspace& metaspace = *header.body_as_Metaspace();
  const auto* replacement = metaspace.replacement();
  load.refuse(problem(replacement == nullptr ? std::string_view() : replacement->string_view(), metaspace.prefix()));
  return std::make_unique<Metaspace>(replacement->string_view(), metaspace.prefix(), metaspace.split());
}

const char* Metaspace::problem(std::string_view replacement, fb::Prefix prefix) noexcept {
  if (!utf8::valid(replacement) || utf8::characters(replacement) != 1) {
    return "what Metaspace writes for a space is not one character";
  }
  return prefix <= fb::Prefix::MAX ? nullptr : "Metaspace has a prefix that this core does not know";
}

// Whether the text has the replacement at byte `at`, or a space, which becomes it.
bool Metaspace::replaced_at(std::string_view text, std::size_t at) const noexcept {
  if (text[at] == ' ') return true;
  return text[at] == replacement_[0] && text.substr(at).starts_with(replacement_);
}

void Metaspace::split(Words& words) const {
  const std::string_view text = words.text.bytes;
  Rebuild to(words);
  for (const Range word : words.words) {
    const bool prefixed =
        prefix_ == fb::Prefix::Always || (prefix_ == fb::Prefix::First && words.text.origins[word.begin].begin == 0);
    if (prefixed && !replaced_at(text, word.begin)) to.put(replacement_, word.begin);
    std::size_t done = word.begin;
    for (std::size_t at = word.begin; at < word.end;) {
      if (!replaced_at(text, at)) {
        ++at;
        continue;
      }
      to.keep({done, at});
      if (split_ && at != word.begin) to.end_word();
      to.put(replacement_, at);
      at += text[at] == ' ' ? 1 : replacement_.size();
      done = at;
    }
    to.keep({done, word.end});
    to.end_word();
  }
}

}  // namespace potstill::tokenizer
