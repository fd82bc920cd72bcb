#include "tokenizer/pre_tokenizers/byte_level.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "tokenizer/pre_tokenizers/rebuild.h"
#include "tokenizer/pre_tokenizers/split.h"

namespace potstill::tokenizer {
namespace {

// A character of U+0021 to U+0143 as UTF-8.
struct Written {
  char bytes[2];
  std::uint8_t size;
};

// Bytes that Latin-1 shows stand for themselves; the others, in order, are U+0100 and on.
constexpr auto kWritten = [] {
  std::array<Written, 256> written{};
  unsigned next = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const bool shown = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
    const unsigned point = shown ? byte : next++;
    if (point < 0x80) {
      written[byte] = {{static_cast<char>(point), 0}, 1};
    } else {
      written[byte] = {{static_cast<char>(0xC0 | point >> 6), static_cast<char>(0x80 | (point & 0x3F))}, 2};
    }
  }
  return written;
}();

void add_spaces(Words& words) {
  const auto bare = [&](Range word) { return words.text.bytes[word.begin] != ' '; };
  if (std::none_of(words.words.begin(), words.words.end(), bare)) return;
  Rebuild to(words);
  for (const Range word : words.words) {
    if (bare(word)) to.put(" ", word.begin);
    to.keep(word);
    to.end_word();
  }
}

// Writes all bytes; the words keep their number.
void write_bytes(Words& words) {
  Text& text = words.text;
  std::string bytes(2 * text.bytes.size(), '\0');
  std::vector<Origin> origins(text.tracked ? bytes.size() : 0);
  std::size_t size = 0;
  for (Range& word : words.words) {
    const std::size_t begin = size;
    for (std::size_t at = word.begin; at < word.end; ++at) {
      const Written& written = kWritten[static_cast<std::uint8_t>(text.bytes[at])];
      bytes[size] = written.bytes[0];
      bytes[size + written.size - 1] = written.bytes[written.size - 1];
      if (text.tracked) origins[size] = origins[size + written.size - 1] = text.origins[at];
      size += written.size;
    }
    word = {begin, size};
  }
  bytes.resize(size);
  origins.resize(text.tracked ? size : 0);
  text.bytes = std::move(bytes);
  text.origins = std::move(origins);
}

}  // namespace

std::unique_ptr<const PreTokenizer> ByteLevel::make(const Load&, const fb::PreTokenizer& header) {
  const fb::ByteLevel& options = *header.body_as_ByteLevel();
  return std::make_unique<ByteLevel>(options.add_prefix_space(), options.use_regex());
}

void ByteLevel::split(Words& words) const {
  if (add_prefix_space_) add_spaces(words);
  if (use_regex_) Split(Pattern(fb::PatternKind::Gpt2), fb::Behavior::Isolated, false).split(words);
  write_bytes(words);
}

}  // namespace potstill::tokenizer
