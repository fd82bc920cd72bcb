// Added tokens: pieces that are cut out of a text as they are, before it is cut into words.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace potstill::tokenizer {

// Schema table `AddedToken`; `text` is what is looked for, not owned.
struct AddedToken {
  std::int32_t id;
  std::string_view text;
  bool left_strip = false, right_strip = false, single_word = false;
};

class AddedTokens {
 public:
  // nullptr when the tokens are sound, else a text that says what is wrong.
  static const char* problem(const std::vector<AddedToken>& tokens) noexcept;

  explicit AddedTokens(std::vector<AddedToken> tokens);

  bool empty() const noexcept { return tokens_.empty(); }

  // A token, or the text before the next one where id < 0: bytes [begin, end), white space that a token takes with it
  // included.
  struct Part {
    std::size_t begin, end;
    std::int32_t id;
  };

  // Cuts a text into parts, in order and none empty, by the first token, of several at one place the longest: linear in
  // the text, times the tokens that begin with one byte.
  std::vector<Part> cut(std::string_view text) const;

 private:
  const AddedToken* longest_at(std::string_view text, std::size_t at) const noexcept;

  std::vector<AddedToken> tokens_;          // by their first byte
  std::array<std::uint16_t, 257> first_{};  // tokens that begin with byte b: [first_[b], first_[b + 1])
};

}  // namespace potstill::tokenizer
