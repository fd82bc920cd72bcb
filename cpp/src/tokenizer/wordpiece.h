// WordPiece as Hugging Face `tokenizers` runs it for BERT: added tokens are cut out of the raw text, the rest goes
// through BertNormalizer, BertPreTokenizer and WordPiece, and the result is wrapped as [CLS] ... [SEP].
// The ids equal those of `Tokenizer.encode(text).ids` for every text; see README.md beside this file.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace potstill::tokenizer {

// The tables of schema table `WordPiece`, not owned: they must outlive every tokenizer built over them.
struct WordPieceView {
  std::string_view blob;                     // UTF-8 text of all pieces, concatenated in id order
  std::span<const std::int32_t> offsets;     // vocabulary size + 1; piece i = blob[offsets[i], offsets[i + 1])
  std::span<const std::int32_t> slots;       // open addressing over FNV-1a-32 of the piece; id, or -1 = empty
  std::span<const std::uint32_t> added_ids;  // pieces matched in raw text before normalization; may be empty
  std::string_view continuing_prefix = "##";
  std::uint32_t unk_id = 0;
  std::uint32_t cls_id = 0;
  std::uint32_t sep_id = 0;
  std::uint32_t pad_id = 0;
  std::uint32_t max_chars_per_word = 100;
  bool lowercase = true;
  bool strip_accents = true;
  bool clean_text = true;
  bool handle_chinese_chars = true;
};

// Limits that keep the work per input byte bounded even for a hostile file.
inline constexpr std::size_t kMaxVocabulary = std::size_t{1} << 24;
inline constexpr std::size_t kMaxAddedTokens = 256;
inline constexpr std::size_t kMaxProbeRun = 256;  // longest run of used slots; about 60 at half load
inline constexpr std::uint32_t kMaxCharsPerWord = 1000;
inline constexpr std::size_t kMaxPrefixBytes = 64;

// Checks everything `encode` relies on. Returns nullptr when the tables are sound, else a text (static storage) that
// says what is wrong. Time is linear in the tables; nothing is allocated.
const char* problem(const WordPieceView& view) noexcept;

// FNV-1a, 32 bits, the hash of `slots`. Feed the previous result as `state` to go on.
inline constexpr std::uint32_t kFnvStart = 2166136261u;
constexpr std::uint32_t fnv1a(std::string_view bytes, std::uint32_t state = kFnvStart) noexcept {
  for (const char c : bytes) state = (state ^ static_cast<unsigned char>(c)) * 16777619u;
  return state;
}

// Cuts the lengths of two texts, `room` or more together, to `room` in all: the longer one gives way until it is as
// short as the other, then both, the longer (of equals the second) keeping the odd token. So "longest_first" of Hugging
// Face `tokenizers` cuts.
void fit_pair(std::size_t& first, std::size_t& second, std::size_t room) noexcept;

class WordPieceTokenizer {
 public:
  // `view` must have passed problem(); nothing is copied or built but small lookup tables (under 1 KB).
  explicit WordPieceTokenizer(const WordPieceView& view);

  // Ids of [CLS] text [SEP]; never truncates. Invalid UTF-8 is read as Python's bytes.decode("utf-8", "replace")
  // reads it: U+FFFD for every maximal invalid part. Safe to call from many threads at once. Time is linear in the
  // text times at most max_chars_per_word. Throws std::bad_alloc only.
  std::vector<std::int32_t> encode(std::string_view utf8) const;

  // The same, appended to `out` (so that a batch needs one vector).
  void encode_into(std::string_view utf8, std::vector<std::int32_t>& out) const;

  // Id of a piece, or -1. Added tokens that are not in the model's own vocabulary are not found here.
  std::int32_t find(std::string_view piece) const noexcept;

  std::size_t vocabulary_size() const noexcept { return view_.offsets.size() - 1; }
  const WordPieceView& view() const noexcept { return view_; }

 private:
  friend class Encoder;
  struct Match {
    std::int32_t id;
    std::size_t size;  // bytes
  };

  std::string_view piece(std::size_t id) const noexcept;
  std::int32_t lookup(std::uint32_t hash, std::string_view prefix, std::string_view body) const noexcept;
  Match added_at(std::string_view text) const noexcept;

  WordPieceView view_;
  std::size_t slot_mask_ = 0;
  std::uint32_t prefix_state_ = kFnvStart;  // hash state after the continuing prefix
  std::size_t longest_piece_ = 0;           // bytes
  std::array<std::uint8_t, 128> ascii_{};   // what becomes of an ASCII byte, see wordpiece.cpp
  std::array<bool, 256> added_first_{};     // first bytes of the added tokens
};

}  // namespace potstill::tokenizer
