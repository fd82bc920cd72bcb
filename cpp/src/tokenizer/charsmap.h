// SentencePiece's map of characters, used in place as its models have it: u32 size of a double array in bytes; the
// units of the array, u32; texts that end with NUL. All little-endian, any of it wrong in a hostile file, at any time:
// every access is checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace potstill::tokenizer {

class Charsmap {
 public:
  static constexpr std::size_t kMaxText = 255;  // bytes; SentencePiece's own maps have 33 at most

  // nullptr when the map can be used, else a text that says what is wrong. In linear time.
  static const char* problem(std::span<const std::uint8_t> map) noexcept;

  // Of a checked map, which must outlive this.
  explicit Charsmap(std::span<const std::uint8_t> map) noexcept;

  // The text of the shortest key that `text` begins with, valid UTF-8; nullopt: there is no such key.
  std::optional<std::string_view> find(std::string_view text) const noexcept;

 private:
  // Unit i, or one that no byte leads to.
  std::uint32_t unit(std::size_t i) const noexcept;

  std::optional<std::string_view> text_at(std::size_t at) const noexcept;

  std::span<const std::uint8_t> units_;
  std::string_view texts_;
};

}  // namespace potstill::tokenizer
