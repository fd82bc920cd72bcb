#include "tokenizer/models/piece_trie.h"

namespace potstill::tokenizer {

const char* PieceTrie::problem() const noexcept {
  if (units_.empty()) return "the trie is empty";
  for (const std::int32_t each : units_) {
    const auto unit = static_cast<std::uint32_t>(each);
    const bool names = (unit & 0xFF) == kValue || (unit & kLeaf) != 0;
    if (names && !vocabulary_.has(id(unit))) return "the trie names a piece that does not exist";
  }
  return nullptr;
}

}  // namespace potstill::tokenizer
