#include "tokenizer/tokenizer.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "potstill/error.h"
#include "tokenizer/trim.h"
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

// Places in bytes as places in characters, for tokens in any order.
void count_characters(std::string_view text, std::span<Token> tokens) {
  std::vector<std::uint32_t> ends;  // characters before each byte
  ends.reserve(text.size() + 1);
  std::uint32_t count = 0;
  for (const char byte : text) {
    ends.push_back(count);
    count += utf8::begins(byte) ? 1 : 0;
  }
  ends.push_back(count);
  for (Token& token : tokens) {
    token.begin = ends[token.begin];
    token.end = ends[token.end];
  }
}

}  // namespace

Tokenizer::Tokenizer(Parts parts)
    : parts_(std::move(parts)),
      always_track_(std::any_of(parts_.pre_tokenizers.begin(), parts_.pre_tokenizers.end(),
                                [](const auto& step) { return step->needs_origins(); })) {}

void Tokenizer::encode(std::string_view text, std::vector<std::int32_t>& out) const {
  std::string storage;
  std::vector<Token> found;
  tokens(readable(text, storage), false, found);
  out.reserve(out.size() + found.size());
  for (const Token& token : found) out.push_back(token.id);
}

void Tokenizer::encode(std::string_view text, std::vector<Token>& out) const {
  std::string storage;
  text = readable(text, storage);
  std::vector<Token> found;
  tokens(text, true, found);
  count_characters(text, found);
  out.insert(out.end(), found.begin(), found.end());
}

void Tokenizer::trim(std::span<Token> tokens) const noexcept {
  if (parts_.trim_offsets) tokenizer::trim(parts_.vocabulary, parts_.trim_prefix_space, tokens);
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text) const {
  std::vector<std::int32_t> content, ids;
  encode(text, content);
  parts_.around.wrap(content, ids);
  return ids;
}

// Places are bytes of `text` if they are tracked, else they mean nothing.
void Tokenizer::tokens(std::string_view text, bool track, std::vector<Token>& out) const {
  for (const AddedTokens::Part& part : parts_.raw.cut(text)) {
    if (part.id >= 0) {
      const Range place = place_of(part, text, out.empty() || part.begin == 0);
      out.push_back({part.id, static_cast<std::uint32_t>(place.begin), static_cast<std::uint32_t>(place.end)});
    } else if (parts_.fused != nullptr && !track) {
      parts_.fused->split(text.substr(part.begin, part.end - part.begin), *parts_.model, out);
    } else {
      stages(text.substr(part.begin, part.end - part.begin), part.begin, track || always_track_, out);
    }
  }
}

void Tokenizer::stages(std::string_view part, std::size_t at, bool track, std::vector<Token>& out) const {
  Text text(part, static_cast<std::uint32_t>(at), track);
  for (const auto& normalizer : parts_.normalizers) normalizer->apply(text);
  if (parts_.normalized.empty()) return words(std::move(text), out);
  for (const AddedTokens::Part& found : parts_.normalized.cut(text.bytes)) {
    if (found.id < 0) {
      words(text.part(found.begin, found.end), out);
    } else {
      const Range place = place_of(found, text.bytes, out.empty() || at + found.begin == 0);
      const Origin origin = track ? text.origin(place.begin, place.end) : Origin{};
      out.push_back({found.id, origin.begin, origin.end});
    }
  }
}

// The white space that an added token took with it is not of its place where places are trimmed.
Range Tokenizer::place_of(const AddedTokens::Part& part, std::string_view text, bool first) const {
  if (!parts_.trim_offsets) return {part.begin, part.end};
  return without_spaces(text, {part.begin, part.end}, parts_.trim_prefix_space && first);
}

void Tokenizer::words(Text text, std::vector<Token>& out) const {
  if (text.bytes.empty()) return;
  Words cut{std::move(text), {}};
  cut.words.push_back({0, cut.text.bytes.size()});
  for (const auto& step : parts_.pre_tokenizers) step->split(cut);
  const std::size_t before = out.size();
  for (const Range& word : cut.words) {
    parts_.model->encode(std::string_view(cut.text.bytes).substr(word.begin, word.end - word.begin),
                         static_cast<std::uint32_t>(word.begin), out);
  }
  if (!cut.text.tracked) return;
  for (Token& token : std::span(out).subspan(before)) {
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
