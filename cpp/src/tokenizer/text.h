// A text on its way from what was given to what the model reads, and where each byte of it comes from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace potstill::tokenizer {

// Bytes [begin, end).
struct Range {
  std::size_t begin, end;
};

// Bytes [begin, end) of the text that was given.
struct Origin {
  std::uint32_t begin = 0, end = 0;
};

struct Text {
  std::string bytes;            // valid UTF-8
  std::vector<Origin> origins;  // one a byte; empty where nobody asks for places
  bool tracked = false;
  std::uint32_t base = 0;  // where in the text given it begins

  Text() = default;

  // The part of a text that begins at its byte `at`.
  Text(std::string_view part, std::uint32_t at, bool track);

  // Bytes [begin, end) with their origins.
  Text part(std::size_t begin, std::size_t end) const;

  // Where bytes [begin, end), at least one, come from; the text must be tracked.
  Origin origin(std::size_t begin, std::size_t end) const noexcept {
    return {origins[begin].begin, origins[end - 1].end};
  }
};

// Writes a text anew from its beginning, character by character. The origins follow the rule of `tokenizers`
// (NormalizedString.transform): what replaces a character has its place, what is put in has the place of the byte
// before.
class Rewrite {
 public:
  explicit Rewrite(Text& text);

  // What was not read of the old text is dropped.
  ~Rewrite();

  Rewrite(const Rewrite&) = delete;
  Rewrite& operator=(const Rewrite&) = delete;

  // Byte of the old text that is read next.
  std::size_t at() const noexcept { return at_; }

  // Writes a character. change 0: it replaces the next old one; above 0: it is put in; -n: it replaces the next one,
  // and n more are dropped.
  void put(char32_t point, int change = 0);

  // Puts characters in.
  void insert(std::string_view utf8);

  // Copies the old text up to byte `end`, a boundary of characters.
  void keep(std::size_t end);

  // Drops the old text up to byte `end`.
  void drop(std::size_t end) noexcept { at_ = end; }

 private:
  Text& text_;
  std::string bytes_;
  std::vector<Origin> origins_;
  std::size_t at_ = 0;
};

}  // namespace potstill::tokenizer
