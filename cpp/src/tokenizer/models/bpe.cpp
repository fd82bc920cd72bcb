#include "tokenizer/models/bpe.h"

#include <algorithm>
#include <functional>
#include <string>

#include "tokenizer/load.h"
#include "tokenizer/utf8.h"

namespace potstill::tokenizer {
namespace {

// Up to here the best pair is looked for among all, from there on a heap has them.
constexpr std::size_t kShort = 32;

std::string_view view(const flatbuffers::String* text) {
  return text == nullptr ? std::string_view() : text->string_view();
}

}  // namespace

const char* Bpe::problem(const Vocabulary& vocabulary, const Merges& merges, const Options& options) noexcept {
  if (options.unk_id != -1 && !vocabulary.has(options.unk_id)) {
    return "the id of the unknown token is outside the vocabulary";
  }
  if (std::max(options.continuing_prefix.size(), options.end_of_word_suffix.size()) > kMaxAffixBytes) {
    return "the continuing prefix or the end-of-word suffix is longer than 64 bytes";
  }
  return merges.problem(vocabulary.size());
}

std::unique_ptr<const Model> Bpe::make(const Load& load, const Vocabulary& vocabulary) {
  const fb::Bpe& header = *load.header().model_as_Bpe();
  Merges merges;
  if (header.merges_t() != -1 || header.merge_slots_t() != -1) {
    const format::Tensor& rows = load.table(header.merges_t(), "merges", fb::DType::I32);
    const format::Tensor& slots = load.table(header.merge_slots_t(), "merge_slots", fb::DType::I32);
    merges = {{rows.as<std::int32_t>(), rows.shape[0]}, {slots.as<std::int32_t>(), slots.shape[0]}};
  }
  const Options options{header.unk_id(),        header.byte_fallback(),           header.fuse_unk(),
                        header.ignore_merges(), view(header.continuing_prefix()), view(header.end_of_word_suffix())};
  load.refuse(problem(vocabulary, merges, options));
  return std::make_unique<Bpe>(vocabulary, merges, options);
}

Bpe::Bpe(const Vocabulary& vocabulary, const Merges& merges, const Options& options)
    : vocabulary_(vocabulary),
      merges_(merges),
      options_(options),
      plain_(options.continuing_prefix.empty() && options.end_of_word_suffix.empty()),
      bytes_(vocabulary, options.byte_fallback) {
  for (std::size_t point = 0; point < low_.size(); ++point) {
    std::string text;
    utf8::append(text, static_cast<char32_t>(point));
    low_[point] = vocabulary_.find(text);
  }
}

void Bpe::encode(std::string_view word, std::uint32_t at, std::vector<Token>& out) const {
  if (options_.ignore_merges) {
    if (const std::int32_t id = vocabulary_.find(word); id >= 0) {
      out.push_back({id, at, at + static_cast<std::uint32_t>(word.size())});
      return;
    }
  }
  const std::size_t before = out.size();
  spell(word, at, out);
  Token* const tokens = out.data() + before;
  const std::size_t count = out.size() - before;
  out.resize(before + (count <= kShort ? merge_short(tokens, count) : merge_long(tokens, count)));
}

// The tokens of single characters. `tokenizers` adds up lengths: what is left out moves all that follows to the left.
// An unknown token waits for the next piece, so that bytes of a later character may stand before it.
void Bpe::spell(std::string_view word, std::uint32_t at, std::vector<Token>& out) const {
  std::uint32_t unknown = 0;  // bytes of the token that waits
  const auto put = [&](std::int32_t id, std::size_t size) {
    const std::uint32_t begin = at;
    at += static_cast<std::uint32_t>(size);
    out.push_back({id, begin, at});
  };
  const auto put_unknown = [&] {
    if (unknown != 0) put(options_.unk_id, unknown);
    unknown = 0;
  };
  for (std::size_t begin = 0, size = 0; begin < word.size(); begin += size) {
    size = std::min(utf8::size(word[begin]), word.size() - begin);
    const std::string_view text = word.substr(begin, size);
    if (const std::int32_t id = character(word, begin, size); id >= 0) {
      put_unknown();
      put(id, size);
    } else if (options_.byte_fallback && bytes_.spell(text)) {
      for (const char byte : text) put(bytes_[byte], 1);
    } else if (options_.unk_id >= 0) {
      if (!options_.fuse_unk) put_unknown();
      unknown += static_cast<std::uint32_t>(size);
    }
  }
  put_unknown();
}

// The piece of a character, or -1.
std::int32_t Bpe::character(std::string_view word, std::size_t begin, std::size_t size) const {
  const std::string_view text = word.substr(begin, size);
  if (!plain_) {
    std::string piece(begin == 0 ? std::string_view() : options_.continuing_prefix);
    piece += text;
    if (begin + size == word.size()) piece += options_.end_of_word_suffix;
    return vocabulary_.find(piece);
  }
  const auto lead = static_cast<unsigned char>(text[0]);
  if (size == 1 && lead < 0x80) return low_[lead];
  if (size == 2 && lead < 0xC8) return low_[((lead & 0x1Fu) << 6 | (static_cast<unsigned char>(text[1]) & 0x3Fu))];
  return vocabulary_.find(text);
}

// Both joins give the tokens that are left, at the beginning. What a changed table makes outside the vocabulary is not
// joined.

std::size_t Bpe::merge_short(Token* tokens, std::size_t count) const noexcept {
  if (count < 2) return count;
  std::array<std::uint32_t, kShort> rows;  // of the pair that begins at each token but the last
  for (std::size_t i = 0; i + 1 < count; ++i) rows[i] = merges_.find(tokens[i].id, tokens[i + 1].id);
  while (count > 1) {
    const auto best = static_cast<std::size_t>(std::min_element(rows.data(), rows.data() + count - 1) - rows.data());
    if (rows[best] == Merges::kNone) break;
    const std::int32_t made = merges_.made(rows[best]);
    if (!vocabulary_.has(made)) {
      rows[best] = Merges::kNone;
      continue;
    }
    tokens[best] = {made, tokens[best].begin, tokens[best + 1].end};
    std::copy(tokens + best + 2, tokens + count, tokens + best + 1);
    std::copy(rows.data() + best + 1, rows.data() + count - 1, rows.data() + best);
    --count;
    if (best > 0) rows[best - 1] = merges_.find(tokens[best - 1].id, made);
    if (best + 1 < count) rows[best] = merges_.find(made, tokens[best + 1].id);
  }
  return count;
}

// The tokens as a list, linked both ways, and a heap of the pairs by (row, place). A pair of which a token was joined
// to another one is passed over when its turn comes.
std::size_t Bpe::merge_long(Token* tokens, std::size_t count) const {
  constexpr std::uint32_t kEnd = Merges::kNone;
  struct Links {
    std::uint32_t before, after;
  };
  std::vector<Links> links(count);
  std::vector<std::uint64_t> heap;
  heap.reserve(count);
  constexpr std::greater<> kLowestFirst;
  const auto add = [&](std::uint32_t place) {
    const std::uint32_t row = merges_.find(tokens[place].id, tokens[links[place].after].id);
    if (row != Merges::kNone) heap.push_back(std::uint64_t{row} << 32 | place);
    return row != Merges::kNone;
  };
  const auto push = [&](std::uint32_t place) {
    if (add(place)) std::push_heap(heap.begin(), heap.end(), kLowestFirst);
  };
  const auto last = static_cast<std::uint32_t>(count - 1);
  for (std::uint32_t i = 0; i <= last; ++i) links[i] = {i - 1, i == last ? kEnd : i + 1};
  for (std::uint32_t i = 0; i < last; ++i) add(i);
  std::make_heap(heap.begin(), heap.end(), kLowestFirst);
  while (!heap.empty()) {
    const auto row = static_cast<std::uint32_t>(heap.front() >> 32);
    const auto left = static_cast<std::uint32_t>(heap.front());
    std::pop_heap(heap.begin(), heap.end(), kLowestFirst);
    heap.pop_back();
    const std::uint32_t right = links[left].after;
    if (tokens[left].id < 0 || right == kEnd || !merges_.joins(row, tokens[left].id, tokens[right].id)) continue;
    const std::int32_t made = merges_.made(row);
    if (!vocabulary_.has(made)) continue;
    tokens[left] = {made, tokens[left].begin, tokens[right].end};
    tokens[right].id = -1;  // gone
    links[left].after = links[right].after;
    if (links[left].after != kEnd) {
      links[links[left].after].before = left;
      push(left);
    }
    if (left != 0) push(links[left].before);
  }
  return static_cast<std::size_t>(
      std::remove_if(tokens, tokens + count, [](const Token& token) { return token.id < 0; }) - tokens);
}

}  // namespace potstill::tokenizer
