// Tables over a hand-made vocabulary, built the way python/potstill/compile/tokenizers builds them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tokenizer/wordpiece.h"

namespace potstill::tokenizer::testing {

struct SmallVocabulary {
  explicit SmallVocabulary(const std::vector<std::string>& pieces, std::size_t added = 5) {
    std::size_t size = 2;
    while (size < 2 * pieces.size()) size *= 2;
    slots.assign(size, -1);
    for (const std::string& piece : pieces) {
      const auto id = static_cast<std::int32_t>(offsets.size() - 1);
      blob += piece;
      offsets.push_back(static_cast<std::int32_t>(blob.size()));
      std::size_t slot = fnv1a(piece) & (size - 1);
      while (slots[slot] != -1) slot = (slot + 1) & (size - 1);
      slots[slot] = id;
    }
    for (std::size_t id = 0; id < added; ++id) added_ids.push_back(static_cast<std::uint32_t>(id));
  }

  // [PAD] [UNK] [CLS] [SEP] [MASK] are ids 0 to 4; then `pieces` from id 5 on.
  static SmallVocabulary bert(const std::vector<std::string>& pieces) {
    std::vector<std::string> all{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
    all.insert(all.end(), pieces.begin(), pieces.end());
    return SmallVocabulary(all);
  }

  WordPieceView view(bool lowercase = true, bool strip_accents = true) const {
    WordPieceView view;
    view.blob = blob;
    view.offsets = offsets;
    view.slots = slots;
    view.added_ids = added_ids;
    view.pad_id = 0;
    view.unk_id = 1;
    view.cls_id = 2;
    view.sep_id = 3;
    view.lowercase = lowercase;
    view.strip_accents = strip_accents;
    return view;
  }

  std::string blob;
  std::vector<std::int32_t> offsets{0};
  std::vector<std::int32_t> slots;
  std::vector<std::uint32_t> added_ids;
};

}  // namespace potstill::tokenizer::testing
