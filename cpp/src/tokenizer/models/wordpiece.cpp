#include "tokenizer/models/wordpiece.h"

#include <algorithm>
#include <array>

#include "tokenizer/load.h"
#include "tokenizer/utf8.h"

namespace potstill::tokenizer {

const char* WordPiece::problem(const Vocabulary& vocabulary, const Options& options) noexcept {
  if (options.unk_id >= vocabulary.size()) return "the id of a special token is outside the vocabulary";
  if (options.max_chars_per_word == 0 || options.max_chars_per_word > kMaxCharsPerWord) {
    return "max_chars_per_word is not in 1..1000";
  }
  if (options.continuing_prefix.size() > kMaxPrefixBytes) return "the continuing prefix is longer than 64 bytes";
  return nullptr;
}

std::unique_ptr<const Model> WordPiece::make(const Load& load, const Vocabulary& vocabulary) {
  const fb::WordPiece& header = *load.header().model_as_WordPiece();
  const auto* prefix = header.continuing_prefix();
  const Options options{header.unk_id(), prefix == nullptr ? std::string_view() : prefix->string_view(),
                        header.max_chars_per_word()};
  load.refuse(problem(vocabulary, options));
  return std::make_unique<WordPiece>(vocabulary, options);
}

WordPiece::WordPiece(const Vocabulary& vocabulary, const Options& options)
    : vocabulary_(vocabulary), options_(options), prefix_state_(fnv1a(options.continuing_prefix)) {
  for (std::size_t id = 0; id < vocabulary_.size(); ++id) {
    longest_piece_ = std::max(longest_piece_, vocabulary_.piece(id).size());
  }
}

void WordPiece::encode(std::string_view word, std::uint32_t at, std::vector<Token>& out) const {
  const auto place = [at](std::size_t byte) { return at + static_cast<std::uint32_t>(byte); };
  const std::size_t before = out.size();
  bool known = !too_long(word);
  for (std::size_t begin = 0; known && begin < word.size();) {
    const Match match = longest(word, begin);
    known = match.size != 0;
    if (known) out.push_back({match.id, place(begin), place(begin + match.size)});
    begin += match.size;
  }
  if (known) return;
  out.resize(before);
  out.push_back({unk_id(), at, place(word.size())});
}

// No character has less than one byte.
bool WordPiece::too_long(std::string_view word) const noexcept {
  return word.size() > options_.max_chars_per_word && utf8::characters(word) > options_.max_chars_per_word;
}

// The hash of every candidate comes out of one pass, since FNV-1a of a text is a step on from that of its prefix.
WordPiece::Match WordPiece::longest(std::string_view word, std::size_t begin) const noexcept {
  struct Candidate {
    std::uint32_t hash;
    std::uint32_t size;
  };
  const std::string_view prefix = begin == 0 ? std::string_view{} : options_.continuing_prefix;
  if (longest_piece_ <= prefix.size()) return {0, -1};
  const std::string_view rest = word.substr(begin, longest_piece_ - prefix.size());
  std::array<Candidate, kMaxCharsPerWord> candidates;  // a word that is not too long has at most that many characters
  std::uint32_t hash = begin == 0 ? kFnvStart : prefix_state_;
  std::size_t count = 0;
  for (std::size_t end = 1; end <= rest.size(); ++end) {
    hash = fnv1a(rest.substr(end - 1, 1), hash);
    const std::size_t after = begin + end;
    if (after == word.size() || utf8::begins(word[after]))
      candidates[count++] = {hash, static_cast<std::uint32_t>(end)};
  }
  while (count-- > 0) {
    const Candidate& candidate = candidates[count];
    const std::int32_t id = vocabulary_.find(candidate.hash, prefix, rest.substr(0, candidate.size));
    if (id >= 0) return {candidate.size, id};
  }
  return {0, -1};
}

}  // namespace potstill::tokenizer
