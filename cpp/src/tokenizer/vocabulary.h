// The pieces of a tokenizer: their text and a hash table over it, used in place as the file has them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "tokenizer/slots.h"

namespace potstill::tokenizer {

inline constexpr std::size_t kMaxVocabulary = std::size_t{1} << 24;

// FNV-1a, 32 bits, the hash of `slots`. Feed the previous result as `state` to go on.
inline constexpr std::uint32_t kFnvStart = 2166136261u;
constexpr std::uint32_t fnv1a(std::string_view bytes, std::uint32_t state = kFnvStart) noexcept {
  for (const char c : bytes) state = (state ^ static_cast<unsigned char>(c)) * 16777619u;
  return state;
}

// Schema table `Vocabulary`. Not owned: the tables must outlive every copy.
struct Vocabulary {
  std::string_view blob;                  // UTF-8 text of all pieces, concatenated in id order
  std::span<const std::int32_t> offsets;  // size + 1; piece i = blob[offsets[i], offsets[i + 1])
  std::span<const std::int32_t> slots;    // open addressing over FNV-1a-32 of the piece; id, or -1 = empty

  // Checks everything that the others rely on. Returns nullptr when the tables are sound, else a text (static storage)
  // that says what is wrong. Time is linear in the tables; nothing is allocated.
  const char* problem() const noexcept;

  std::size_t size() const noexcept { return offsets.size() - 1; }

  bool has(std::int32_t id) const noexcept { return id >= 0 && static_cast<std::size_t>(id) < size(); }

  // The text of an id below size().
  std::string_view piece(std::size_t id) const noexcept;

  // Id of the piece prefix + body, whose hash the caller has, or -1. An added token that is not in the model's own
  // vocabulary is not found.
  std::int32_t find(std::uint32_t hash, std::string_view prefix, std::string_view body) const noexcept;
  std::int32_t find(std::string_view piece) const noexcept { return find(fnv1a(piece), {}, piece); }
};

// Offsets and slots are checked again at every use: those of a mapped file may have been overwritten since problem()
// looked at them.
inline std::string_view Vocabulary::piece(std::size_t id) const noexcept {
  const auto begin = static_cast<std::size_t>(offsets[id]);
  const auto end = static_cast<std::size_t>(offsets[id + 1]);
  if (begin > end || end > blob.size()) return {};
  return {blob.data() + begin, end - begin};
}

inline std::int32_t Vocabulary::find(std::uint32_t hash, std::string_view prefix,
                                     std::string_view body) const noexcept {
  const std::size_t mask = slots.size() - 1;
  std::size_t slot = hash & mask;
  for (std::size_t probes = 0; probes <= kMaxProbeRun; ++probes, slot = (slot + 1) & mask) {
    const std::int32_t id = slots[slot];
    if (!has(id)) return -1;
    const std::string_view text = piece(static_cast<std::size_t>(id));
    if (text.size() == prefix.size() + body.size() && text.ends_with(body) && text.starts_with(prefix)) return id;
  }
  return -1;
}

}  // namespace potstill::tokenizer
