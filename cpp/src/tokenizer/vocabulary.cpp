#include "tokenizer/vocabulary.h"

#include <bit>

namespace potstill::tokenizer {
namespace {

const char* offsets_problem(const Vocabulary& vocabulary) noexcept {
  const std::span<const std::int32_t> offsets = vocabulary.offsets;
  if (offsets.size() < 2) return "the vocabulary is empty";
  if (offsets.size() - 1 > kMaxVocabulary) return "the vocabulary has more than 2^24 pieces";
  if (offsets.front() != 0) return "the first piece does not begin at offset 0";
  for (std::size_t i = 1; i < offsets.size(); ++i) {
    if (offsets[i] < offsets[i - 1]) return "the piece offsets are not in ascending order";
  }
  if (static_cast<std::size_t>(offsets.back()) != vocabulary.blob.size()) {
    return "the pieces do not end where their text does";
  }
  return nullptr;
}

// Every probe ends at an empty slot, after at most kMaxProbeRun steps.
const char* slots_problem(const Vocabulary& vocabulary) noexcept {
  const std::span<const std::int32_t> slots = vocabulary.slots;
  const std::size_t size = slots.size();
  if (!std::has_single_bit(size)) return "the number of hash slots is not a power of two";
  const auto pieces = static_cast<std::int64_t>(vocabulary.size());
  std::size_t empty = size;  // index of some empty slot
  for (std::size_t i = 0; i < size; ++i) {
    if (slots[i] < -1 || slots[i] >= pieces) return "a hash slot names a piece that does not exist";
    if (slots[i] == -1) empty = i;
  }
  if (empty == size) return "the hash table has no empty slot";
  std::size_t run = 0;
  for (std::size_t i = 1; i <= size; ++i) {  // once around, from an empty slot to itself
    run = slots[(empty + i) & (size - 1)] == -1 ? 0 : run + 1;
    if (run > kMaxProbeRun) return "the hash table is too crowded (more than 256 used slots in a row)";
  }
  return nullptr;
}

}  // namespace

const char* Vocabulary::problem() const noexcept {
  const char* text = offsets_problem(*this);
  return text != nullptr ? text : slots_problem(*this);
}

}  // namespace potstill::tokenizer
