#include "tokenizer/utf8.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace potstill::tokenizer::utf8 {
namespace {

std::uint8_t byte(std::string_view text, std::size_t at) noexcept { return static_cast<std::uint8_t>(text[at]); }

struct Step {
  std::size_t size;  // bytes of the character, or of the maximal invalid part (at least 1)
  bool good;
};

// What stands at text[at]. The second byte of a character has a narrower range after E0, ED, F0 and F4, which is what
// rules out overlong forms, surrogates and values above U+10FFFF.
Step step(std::string_view text, std::size_t at) noexcept {
  const std::uint8_t lead = byte(text, at);
  if (lead < 0x80) return {1, true};
  if (lead < 0xC2 || lead > 0xF4) return {1, false};
  const std::size_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  std::uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  std::uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (std::size_t i = 1; i < size; ++i) {
    if (at + i == text.size() || byte(text, at + i) < low || byte(text, at + i) > high) return {i, false};
    low = 0x80;
    high = 0xBF;
  }
  return {size, true};
}

// Index of the first byte from `at` on that is not ASCII: eight bytes a step.
std::size_t skip_ascii(std::string_view text, std::size_t at) noexcept {
  while (at + 8 <= text.size()) {
    std::uint64_t eight;
    std::memcpy(&eight, text.data() + at, 8);
    if ((eight & 0x8080808080808080u) != 0) break;
    at += 8;
  }
  while (at < text.size() && byte(text, at) < 0x80) ++at;
  return at;
}

}  // namespace

bool valid(std::string_view text) noexcept {
  for (std::size_t at = skip_ascii(text, 0); at < text.size(); at = skip_ascii(text, at)) {
    const Step here = step(text, at);
    if (!here.good) return false;
    at += here.size;
  }
  return true;
}

std::string repaired(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 16);
  for (std::size_t at = 0; at < text.size();) {
    const Step here = step(text, at);
    if (here.good) {
      out.append(text, at, here.size);
    } else {
      out.append("\xEF\xBF\xBD");
    }
    at += here.size;
  }
  return out;
}

std::size_t characters(std::string_view text) noexcept {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins));
}

char32_t next(std::string_view text, std::size_t& at) noexcept {
  const auto trailing = [&](std::size_t i) { return static_cast<char32_t>(byte(text, at + i) & 0x3F); };
  const char32_t lead = byte(text, at);
  char32_t point = lead;
  std::size_t size = 1;
  if (lead >= 0xF0) {
    point = (lead & 0x07) << 18 | trailing(1) << 12 | trailing(2) << 6 | trailing(3);
    size = 4;
  } else if (lead >= 0xE0) {
    point = (lead & 0x0F) << 12 | trailing(1) << 6 | trailing(2);
    size = 3;
  } else if (lead >= 0x80) {
    point = (lead & 0x1F) << 6 | trailing(1);
    size = 2;
  }
  at += size;
  return point;
}

void append(std::string& text, char32_t point) {
  const auto put = [&](char32_t bits) { text.push_back(static_cast<char>(bits)); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xC0 | point >> 6);
    put(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    put(0xE0 | point >> 12);
    put(0x80 | (point >> 6 & 0x3F));
    put(0x80 | (point & 0x3F));
  } else {
    put(0xF0 | point >> 18);
    put(0x80 | (point >> 12 & 0x3F));
    put(0x80 | (point >> 6 & 0x3F));
    put(0x80 | (point & 0x3F));
  }
}

}  // namespace potstill::tokenizer::utf8
