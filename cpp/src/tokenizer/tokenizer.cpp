#include "tokenizer/tokenizer.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "potstill/error.h"
#include "tokenizer/utf8.h"

namespace potstill::tokenizer {
namespace {

// The text, repaired in `storage` where it is not valid UTF-8.
std::string_view readable(std::string_view text, std::string& storage) {
  if (text.size() >= UINT32_MAX) {
    throw Error("I022", "the text has 4 GiB or more", "text", "cut it into parts");
  }
  if (utf8::valid(text)) return text;
  storage = utf8::repaired(text);
  return storage;
}

// The characters before each byte of a text, and all of them.
std::vector<std::uint32_t> characters_before(std::string_view text) {
  std::vector<std::uint32_t> found;
  found.reserve(text.size() + 1);
  std::uint32_t count = 0;
  for (const char byte : text) {
    found.push_back(count);
    count += utf8::begins(byte) ? 1 : 0;
  }
  found.push_back(count);
  return found;
}

}  // namespace

// The tokens of a text; their places are bytes of it where they are tracked, and mean nothing else.
struct Tokenizer::Found {
  bool tracked;
  std::vector<Token> tokens;
  std::vector<Spaces> spaces;  // of each, where places are tracked

  void put(const Token& token, std::string_view text) {
    tokens.push_back(token);
    if (tracked) spaces.push_back(spaces_of(text));
  }
};

Tokenizer::Tokenizer(Parts parts)
    : parts_(std::move(parts)),
      always_track_(std::any_of(parts_.pre_tokenizers.begin(), parts_.pre_tokenizers.end(),
                                [](const auto& step) { return step->needs_origins(); })) {}

void Tokenizer::encode(std::string_view text, std::vector<std::int32_t>& out) const {
  std::string storage;
  Found found{false, {}, {}};
  tokens(readable(text, storage), found);
  out.reserve(out.size() + found.tokens.size());
  for (const Token& token : found.tokens) out.push_back(token.id);
}

void Tokenizer::encode(std::string_view text, std::vector<Placed>& out) const {
  std::string storage;
  text = readable(text, storage);
  Found found{true, {}, {}};
  tokens(text, found);
  const std::vector<std::uint32_t> before = characters_before(text);
  for (std::size_t i = 0; i < found.tokens.size(); ++i) {
    const Token& token = found.tokens[i];
    out.push_back({token.id, before[token.begin], before[token.end], found.spaces[i]});
  }
}

void Tokenizer::trim(std::span<Placed> tokens) const noexcept {
  if (parts_.trim_offsets) tokenizer::trim(parts_.trim_prefix_space, tokens);
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text) const {
  std::vector<std::int32_t> content, ids;
  encode(text, content);
  parts_.around.wrap(content, ids);
  return ids;
}

// The text of an added token is what was found, the white space that it took with it included.
void Tokenizer::tokens(std::string_view text, Found& found) const {
  for (const AddedTokens::Part& part : parts_.raw.cut(text)) {
    const std::string_view here = text.substr(part.begin, part.end - part.begin);
    if (part.id >= 0) {
      found.put({part.id, static_cast<std::uint32_t>(part.begin), static_cast<std::uint32_t>(part.end)}, here);
    } else if (parts_.fused != nullptr && !found.tracked) {
      parts_.fused->split(here, *parts_.model, found.tokens);
    } else {
      stages(here, part.begin, found);
    }
  }
}

void Tokenizer::stages(std::string_view part, std::size_t at, Found& found) const {
  Text text(part, static_cast<std::uint32_t>(at), found.tracked || always_track_);
  for (const auto& normalizer : parts_.normalizers) normalizer->apply(text);
  if (parts_.normalized.empty()) return words(std::move(text), found);
  for (const AddedTokens::Part& cut : parts_.normalized.cut(text.bytes)) {
    if (cut.id < 0) {
      words(text.part(cut.begin, cut.end), found);
    } else {
      const Origin origin = text.tracked ? text.origin(cut.begin, cut.end) : Origin{};
      found.put({cut.id, origin.begin, origin.end},
                std::string_view(text.bytes).substr(cut.begin, cut.end - cut.begin));
    }
  }
}

void Tokenizer::words(Text text, Found& found) const {
  if (text.bytes.empty()) return;
  Words cut{std::move(text), {}};
  cut.words.push_back({0, cut.text.bytes.size()});
  for (const auto& step : parts_.pre_tokenizers) step->split(cut);
  const std::string_view bytes = cut.text.bytes;
  const std::size_t before = found.tokens.size();
  for (const Range& word : cut.words) {
    parts_.model->encode(bytes.substr(word.begin, word.end - word.begin), static_cast<std::uint32_t>(word.begin),
                         found.tokens);
  }
  if (!found.tracked) return;
  const std::int32_t written = parts_.model->unknown_is_written() ? unk_id() : -1;
  for (Token& token : std::span(found.tokens).subspan(before)) {
    found.spaces.push_back(spaces_of(token.id == written
                                         ? bytes.substr(token.begin, token.end - token.begin)
                                         : parts_.vocabulary.piece(static_cast<std::uint32_t>(token.id))));
    const Origin origin = cut.text.origin(token.begin, token.end);
    token.begin = origin.begin;
    token.end = origin.end;
  }
}

std::int32_t Tokenizer::padding() const noexcept {
  const std::int32_t pad = parts_.pad_id;
  return pad == parts_.around.first() || pad == parts_.around.last() ? -1 : pad;
}

bool Tokenizer::padded(std::span<const std::int32_t> ids) const noexcept {
  const std::int32_t pad = padding();
  if (pad < 0) return false;
  const auto text = std::find_if(ids.begin(), ids.end(), [&](std::int32_t id) { return id != pad; });
  return ids.back() == pad || (text != ids.begin() && *text == parts_.around.first());
}

}  // namespace potstill::tokenizer
