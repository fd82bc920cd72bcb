#include "tokenizer/tokenizer.h"

#include <algorithm>
#include <string>
#include <utility>

#include "tokenizer/utf8.h"

namespace potstill::tokenizer {

const char* Tokenizer::problem(const Parts& parts) noexcept {
  const auto outside = [&](std::uint32_t id) { return id >= parts.vocabulary.size(); };
  const auto special = [&](const fb::TemplatePart& part) { return part.part() == fb::Part::Id && outside(part.id()); };
  const Template& around = parts.around;
  if (outside(parts.pad_id) || std::any_of(around.single.begin(), around.single.end(), special) ||
      std::any_of(around.pair.begin(), around.pair.end(), special)) {
    return "the id of a special token is outside the vocabulary";
  }
  return AddedTokens::problem(parts.vocabulary, parts.added_ids);
}

Tokenizer::Tokenizer(Parts parts) : parts_(std::move(parts)), added_(parts_.vocabulary, std::move(parts_.added_ids)) {}

void Tokenizer::encode(std::string_view text, std::vector<std::int32_t>& out) const {
  std::string storage;
  if (!utf8::valid(text)) {
    storage = utf8::repaired(text);
    text = storage;
  }
  while (!text.empty()) {
    const AddedTokens::Match token = added_.first_in(text);
    if (token.begin != 0) parts_.splitter->split(text.substr(0, token.begin), *parts_.model, out);
    if (token.size != 0) out.push_back(token.id);
    text.remove_prefix(token.begin + token.size);
  }
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text) const {
  std::vector<std::int32_t> content, ids;
  encode(text, content);
  parts_.around.wrap(content, ids);
  return ids;
}

std::int32_t Tokenizer::padding() const noexcept {
  const auto pad = static_cast<std::int32_t>(parts_.pad_id);
  return pad == parts_.around.first() || pad == parts_.around.last() ? -1 : pad;
}

bool Tokenizer::padded(std::span<const std::int32_t> ids) const noexcept {
  const std::int32_t pad = padding();
  if (pad < 0) return false;
  const auto text = std::find_if(ids.begin(), ids.end(), [&](std::int32_t id) { return id != pad; });
  return ids.back() == pad || (text != ids.begin() && *text == parts_.around.first());
}

}  // namespace potstill::tokenizer
