#include "tokenizer/added.h"

#include <utility>

#include "format/reader.h"
#include "tokenizer/utf8.h"

namespace potstill::tokenizer {

const char* AddedTokens::problem(const Vocabulary& vocabulary, std::span<const std::uint32_t> ids) noexcept {
  if (ids.size() > format::kMaxAddedTokens) return "more than 256 added tokens";
  for (const std::uint32_t id : ids) {
    if (id >= vocabulary.size()) return "an added token's id is outside the vocabulary";
    const std::string_view token = vocabulary.piece(id);
    if (token.empty()) return "an added token is empty";
    if (!utf8::valid(token)) return "an added token is not valid UTF-8";
  }
  return nullptr;
}

AddedTokens::AddedTokens(const Vocabulary& vocabulary, std::vector<std::uint32_t> ids)
    : vocabulary_(vocabulary), ids_(std::move(ids)) {
  for (const std::uint32_t id : ids_) {
    const std::string_view token = vocabulary_.piece(id);
    if (!token.empty()) first_bytes_[static_cast<std::uint8_t>(token[0])] = true;
  }
}

AddedTokens::Match AddedTokens::first_in(std::string_view text) const noexcept {
  Match best{text.size(), 0, -1};
  if (ids_.empty()) return best;
  for (std::size_t at = 0; at < text.size() && best.size == 0; ++at) {
    if (!first_bytes_[static_cast<std::uint8_t>(text[at])]) continue;
    for (const std::uint32_t id : ids_) {
      const std::string_view token = vocabulary_.piece(id);
      if (token.size() > best.size && text.substr(at).starts_with(token)) {
        best = {at, token.size(), static_cast<std::int32_t>(id)};
      }
    }
  }
  return best;
}

}  // namespace potstill::tokenizer
