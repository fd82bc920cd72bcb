#include "tokenizer/added.h"

#include <algorithm>
#include <utility>

#include "format/reader.h"
#include "tokenizer/unicode.h"
#include "tokenizer/utf8.h"

namespace potstill::tokenizer {
namespace {

std::uint8_t first_byte(const AddedToken& token) noexcept { return static_cast<std::uint8_t>(token.text[0]); }

bool has(std::string_view text, std::size_t at, unicode::Flags flag) noexcept {
  return unicode::is(utf8::next(text, at), flag);
}

std::size_t before(std::string_view text, std::size_t at) noexcept {
  do --at;
  while (at > 0 && !utf8::begins(text[at]));
  return at;
}

std::size_t white_space_begins(std::string_view text, std::size_t end, std::size_t least) noexcept {
  while (end > least && has(text, before(text, end), unicode::kWhitespace)) end = before(text, end);
  return end;
}

std::size_t white_space_ends(std::string_view text, std::size_t at) noexcept {
  for (std::size_t next = at; next < text.size(); at = next) {
    if (!unicode::is(utf8::next(text, next), unicode::kWhitespace)) return at;
  }
  return at;
}

}  // namespace

const char* AddedTokens::problem(const std::vector<AddedToken>& tokens) noexcept {
  if (tokens.size() > format::kMaxAddedTokens) return "too many added tokens";
  for (const AddedToken& token : tokens) {
    if (token.text.empty()) return "an added token is empty";
    if (!utf8::valid(token.text)) return "an added token is not valid UTF-8";
  }
  return nullptr;
}

AddedTokens::AddedTokens(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  std::erase_if(tokens_, [](const AddedToken& token) { return token.text.empty(); });
  std::stable_sort(tokens_.begin(), tokens_.end(),
                   [](const AddedToken& a, const AddedToken& b) { return first_byte(a) < first_byte(b); });
  for (const AddedToken& token : tokens_) ++first_[first_byte(token) + std::size_t{1}];
  for (std::size_t byte = 1; byte < first_.size(); ++byte) first_[byte] += first_[byte - 1];
}

std::vector<AddedTokens::Part> AddedTokens::cut(std::string_view text) const {
  std::vector<Part> parts;
  std::size_t done = 0;  // the parts reach so far
  for (std::size_t at = 0; !tokens_.empty() && at < text.size();) {
    const AddedToken* token = longest_at(text, at);
    if (token == nullptr) {
      ++at;
      continue;
    }
    std::size_t begin = at, end = at + token->text.size();
    at = end;
    if (token->single_word && ((begin > 0 && has(text, before(text, begin), unicode::kWordChar)) ||
                               (end < text.size() && has(text, end, unicode::kWordChar)))) {
      continue;  // what lies in it is no token either
    }
    if (token->left_strip) begin = white_space_begins(text, begin, done);
    if (token->right_strip) end = white_space_ends(text, end);
    if (done < begin) parts.push_back({done, begin, -1});
    parts.push_back({begin, end, token->id});
    done = end;
  }
  if (done < text.size()) parts.push_back({done, text.size(), -1});
  return parts;
}

const AddedToken* AddedTokens::longest_at(std::string_view text, std::size_t at) const noexcept {
  const auto byte = static_cast<std::uint8_t>(text[at]);
  const AddedToken* best = nullptr;
  for (std::size_t i = first_[byte]; i < first_[byte + std::size_t{1}]; ++i) {
    const AddedToken& token = tokens_[i];
    if ((best == nullptr || token.text.size() > best->text.size()) && text.substr(at).starts_with(token.text)) {
      best = &token;
    }
  }
  return best;
}

}  // namespace potstill::tokenizer
