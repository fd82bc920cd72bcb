#include "tokenizer/vocabulary.h"

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

}  // namespace

const char* Vocabulary::problem() const noexcept {
  if (const char* text = offsets_problem(*this)) return text;
  return slots_problem(slots, [this](std::int32_t id) { return has(id); });
}

}  // namespace potstill::tokenizer
