#include "tokenizer/charsmap.h"

#include <cstring>

#include "tokenizer/utf8.h"

namespace potstill::tokenizer {
namespace {

constexpr std::size_t kUnit = sizeof(std::uint32_t);

std::uint32_t load_u32(const std::uint8_t* from) noexcept {
  std::uint32_t value = 0;
  std::memcpy(&value, from, sizeof value);
  return value;
}

// The parts of a unit.
bool ends_key(std::uint32_t unit) noexcept { return (unit >> 8 & 1) != 0; }
std::uint32_t label(std::uint32_t unit) noexcept { return unit & (1u << 31 | 0xFF); }
std::size_t offset(std::uint32_t unit) noexcept { return std::size_t{unit >> 10} << ((unit & 1u << 9) >> 6); }
std::size_t value(std::uint32_t unit) noexcept { return unit & ~(1u << 31); }

std::size_t units_size(std::span<const std::uint8_t> map) noexcept { return load_u32(map.data()) / kUnit * kUnit; }

}  // namespace

const char* Charsmap::problem(std::span<const std::uint8_t> map) noexcept {
  if (map.size() < 2 * kUnit || load_u32(map.data()) < kUnit || units_size(map) > map.size() - kUnit) {
    return "the map of characters has no double array";
  }
  const Charsmap parts(map);
  if (!utf8::valid(parts.texts_)) return "texts of the map of characters are not UTF-8";
  for (std::size_t at = 0; at < parts.texts_.size();) {
    const std::size_t end = std::min(parts.texts_.find('\0', at), parts.texts_.size());
    if (end - at > kMaxText) return "a text of the map of characters is longer than 255 bytes";
    at = end + 1;
  }
  return nullptr;
}

Charsmap::Charsmap(std::span<const std::uint8_t> map) noexcept {
  const std::size_t size = units_size(map);
  units_ = map.subspan(kUnit, size);
  const auto rest = map.subspan(kUnit + size);
  texts_ = {reinterpret_cast<const char*>(rest.data()), rest.size()};
}

std::uint32_t Charsmap::unit(std::size_t i) const noexcept {
  return i < units_.size() / kUnit ? load_u32(units_.data() + i * kUnit) : 1u << 31;
}

std::optional<std::string_view> Charsmap::find(std::string_view text) const noexcept {
  std::size_t at = offset(unit(0));
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == 0) break;
    at ^= byte;
    const std::uint32_t here = unit(at);
    if (label(here) != byte) break;
    at ^= offset(here);
    if (ends_key(here)) return text_at(value(unit(at)));
  }
  return std::nullopt;
}

std::optional<std::string_view> Charsmap::text_at(std::size_t at) const noexcept {
  if (at > texts_.size()) return std::nullopt;
  const std::string_view rest = texts_.substr(at, kMaxText + 1);
  const std::string_view found = rest.substr(0, rest.find('\0'));
  // Checked again: those of a mapped file may have been overwritten since problem() looked at them.
  if (found.size() > kMaxText || !utf8::valid(found)) return std::nullopt;
  return found;
}

}  // namespace potstill::tokenizer
