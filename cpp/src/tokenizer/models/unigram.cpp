#include "tokenizer/models/unigram.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "tokenizer/load.h"
#include "tokenizer/utf8.h"

namespace potstill::tokenizer {
namespace {

constexpr std::uint32_t kNoPath = std::numeric_limits<std::uint32_t>::max();
constexpr std::size_t kShort = 64;  // words up to here take no memory: most

}  // namespace

const char* Unigram::problem(const Vocabulary& vocabulary, const Tables& tables, const Options& options) noexcept {
  const std::size_t scored = tables.scores.size() + tables.wide_scores.size() / 8;
  if (tables.wide_scores.size() % 8 != 0 || scored == 0 || scored > vocabulary.size()) {
    return "the scores are not one a piece";
  }
  if (!std::isfinite(options.unk_score)) return "the score of the unknown token is not finite";
  if (options.unk_id < 0 || static_cast<std::size_t>(options.unk_id) >= scored) {
    return "the id of the unknown token is outside the vocabulary";
  }
  return PieceTrie(tables.trie, vocabulary).problem();
}

std::unique_ptr<const Model> Unigram::make(const Load& load, const Vocabulary& vocabulary) {
  const fb::Unigram& header = *load.header().model_as_Unigram();
  Tables tables;
  if (header.wide_scores_t() == -1) {
    const format::Tensor& scores = load.table(header.scores_t(), "scores", fb::DType::F32);
    tables.scores = {scores.as<float>(), scores.shape[0]};
  } else {
    const format::Tensor& scores = load.table(header.wide_scores_t(), "wide_scores", fb::DType::U8);
    tables.wide_scores = {scores.as<std::uint8_t>(), scores.shape[0]};
  }
  const format::Tensor& trie = load.table(header.trie_t(), "trie", fb::DType::I32);
  tables.trie = {trie.as<std::int32_t>(), trie.shape[0]};
  const Options options{header.unk_id(), header.unk_score(), header.byte_fallback()};
  load.refuse(problem(vocabulary, tables, options));
  return std::make_unique<Unigram>(vocabulary, tables, options);
}

Unigram::Unigram(const Vocabulary& vocabulary, const Tables& tables, const Options& options)
    : vocabulary_(vocabulary),
      tables_(tables),
      options_(options),
      trie_(tables.trie, vocabulary),
      bytes_(vocabulary, options.byte_fallback) {}

// The path is read from its end. Unknown tokens side by side are one, as in `tokenizers`.
void Unigram::encode(std::string_view word, std::uint32_t at, std::vector<Token>& out) const {
  std::array<Path, kShort + 1> few;
  std::vector<Path> many;
  Path* paths = few.data();
  if (word.size() > kShort) {
    many.resize(word.size() + 1);
    paths = many.data();
  }
  search(word, paths);
  const std::size_t before = out.size();
  for (std::size_t end = word.size(), begin = end; end > 0; end = begin) {
    const std::int32_t id = paths[end].id;
    begin = paths[end].begin;
    if (id != options_.unk_id) {
      out.push_back({id, at + static_cast<std::uint32_t>(begin), at + static_cast<std::uint32_t>(end)});
      continue;
    }
    while (begin > 0 && paths[begin].id == options_.unk_id) begin = paths[begin].begin;
    put_unknown(word.substr(begin, end - begin), at + static_cast<std::uint32_t>(begin), out);
  }
  std::reverse(out.begin() + static_cast<std::ptrdiff_t>(before), out.end());
}

// Of equal sums the path that was found first stays: the one whose last piece is the longest.
void Unigram::search(std::string_view word, Path* paths) const {
  for (std::size_t i = 0; i <= word.size(); ++i) paths[i] = {0.0, -1, kNoPath};
  for (std::size_t begin = 0, size = 0; begin < word.size(); begin += size) {
    const double before = paths[begin].score;
    const auto offer = [&](std::int32_t id, std::size_t bytes, double score) {
      Path& path = paths[begin + bytes];
      if (path.begin == kNoPath || before + score > path.score) {
        path = {before + score, id, static_cast<std::uint32_t>(begin)};
      }
    };
    size = std::min(utf8::size(word[begin]), word.size() - begin);
    bool single = false;  // whether the character is a piece
    trie_.prefixes(word.substr(begin), [&](std::int32_t id, std::size_t bytes) {
      if (static_cast<std::size_t>(id) >= scored()) return;
      offer(id, bytes, score(id));
      single = single || bytes == size;
    });
    if (!single) offer(options_.unk_id, size, options_.unk_score);
  }
}

// Backwards, as the path is read. `tokenizers` looks the joined text up again; where scores are odd it may be a piece.
void Unigram::put_unknown(std::string_view text, std::uint32_t at, std::vector<Token>& out) const {
  const std::uint32_t end = at + static_cast<std::uint32_t>(text.size());
  const std::int32_t id = vocabulary_.find(text);
  if (id < 0 && options_.byte_fallback && bytes_.spell(text)) {
    for (auto byte = text.rbegin(); byte != text.rend(); ++byte) out.push_back({bytes_[*byte], at, end});
  } else {
    out.push_back({id < 0 ? options_.unk_id : id, at, end});
  }
}

double Unigram::score(std::int32_t id) const noexcept {
  const auto at = static_cast<std::size_t>(id);
  if (!tables_.scores.empty()) return static_cast<double>(tables_.scores[at]);
  double score;
  std::memcpy(&score, tables_.wide_scores.data() + 8 * at, 8);
  return score;
}

}  // namespace potstill::tokenizer
