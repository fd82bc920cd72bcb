// The checks a file's tables must pass before a tokenizer may use them.
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "tokenizer/utf8.h"
#include "tokenizer/wordpiece.h"

namespace potstill::tokenizer {
namespace {

const char* offsets_problem(const WordPieceView& view) noexcept {
  if (view.offsets.size() < 2) return "the vocabulary is empty";
  if (view.offsets.size() - 1 > kMaxVocabulary) return "the vocabulary has more than 2^24 pieces";
  if (view.offsets.front() != 0) return "the first piece does not begin at offset 0";
  for (std::size_t i = 1; i < view.offsets.size(); ++i) {
    if (view.offsets[i] < view.offsets[i - 1]) return "the piece offsets are not in ascending order";
  }
  if (static_cast<std::size_t>(view.offsets.back()) != view.blob.size())
    return "the pieces do not end where their text does";
  return nullptr;
}

// Every probe ends at an empty slot, after at most kMaxProbeRun steps.
const char* slots_problem(const WordPieceView& view) noexcept {
  const std::size_t size = view.slots.size();
  if (!std::has_single_bit(size)) return "the number of hash slots is not a power of two";
  const auto vocabulary = static_cast<std::int64_t>(view.offsets.size()) - 1;
  std::size_t empty = size;  // index of some empty slot
  for (std::size_t i = 0; i < size; ++i) {
    if (view.slots[i] < -1 || view.slots[i] >= vocabulary) return "a hash slot names a piece that does not exist";
    if (view.slots[i] == -1) empty = i;
  }
  if (empty == size) return "the hash table has no empty slot";
  std::size_t run = 0;
  for (std::size_t i = 1; i <= size; ++i) {  // once around, from an empty slot to itself
    run = view.slots[(empty + i) & (size - 1)] == -1 ? 0 : run + 1;
    if (run > kMaxProbeRun) return "the hash table is too crowded (more than 256 used slots in a row)";
  }
  return nullptr;
}

const char* added_problem(const WordPieceView& view) noexcept {
  if (view.added_ids.size() > kMaxAddedTokens) return "more than 256 added tokens";
  for (const std::uint32_t id : view.added_ids) {
    if (id >= view.offsets.size() - 1) return "an added token's id is outside the vocabulary";
    const auto begin = static_cast<std::size_t>(view.offsets[id]);
    const auto end = static_cast<std::size_t>(view.offsets[id + 1]);
    if (begin == end) return "an added token is empty";
    if (!utf8::valid(view.blob.substr(begin, end - begin))) return "an added token is not valid UTF-8";
  }
  return nullptr;
}

}  // namespace

const char* problem(const WordPieceView& view) noexcept {
  if (const char* text = offsets_problem(view)) return text;
  if (const char* text = slots_problem(view)) return text;
  const std::size_t vocabulary = view.offsets.size() - 1;
  for (const std::uint32_t id : {view.unk_id, view.cls_id, view.sep_id, view.pad_id}) {
    if (id >= vocabulary) return "the id of a special token is outside the vocabulary";
  }
  if (view.max_chars_per_word == 0 || view.max_chars_per_word > kMaxCharsPerWord) {
    return "max_chars_per_word is not in 1..1000";
  }
  if (view.continuing_prefix.size() > kMaxPrefixBytes) return "the continuing prefix is longer than 64 bytes";
  return added_problem(view);
}

}  // namespace potstill::tokenizer
