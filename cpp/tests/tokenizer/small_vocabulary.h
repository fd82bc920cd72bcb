// A tokenizer over a hand-made vocabulary, built as python/potstill/compile/tokenizers/ builds them.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/fused_bert.h"
#include "tokenizer/models/wordpiece.h"
#include "tokenizer/pre_tokenizers/bert.h"
#include "tokenizer/tokenizer.h"

namespace potstill::tokenizer::testing {

using Ids = std::vector<std::int32_t>;

inline constexpr std::int32_t kUnk = 1, kCls = 2, kSep = 3, kMask = 4;

// [CLS] A [SEP] and [CLS] A [SEP] B [SEP].
inline Template bert_template() {
  using enum fb::Part;
  return {{{kCls, Id, 0}, {0, First, 0}, {kSep, Id, 0}},
          {{kCls, Id, 0}, {0, First, 0}, {kSep, Id, 0}, {0, Second, 1}, {kSep, Id, 1}}};
}

struct Settings {
  BertOptions bert = {};
  WordPiece::Options model = {.unk_id = kUnk};
  Template around = bert_template();
  std::int32_t pad_id = 0;
};

// Settings that differ from BERT's in how text is normalized.
inline Settings cased(bool lowercase, bool strip_accents) {
  return {.bert = {.strip_accents = strip_accents, .lowercase = lowercase}};
}

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

  Vocabulary view() const { return {blob, offsets, slots}; }

  std::vector<AddedToken> added() const {
    std::vector<AddedToken> tokens;
    for (const std::uint32_t id : added_ids) {
      tokens.push_back({static_cast<std::int32_t>(id), id < view().size() ? view().piece(id) : std::string_view{}});
    }
    return tokens;
  }

  // The first problem, in the order in which a file's tokenizer is checked; nullptr when there is none.
  const char* problem(const Settings& settings = {}) const {
    if (const char* text = view().problem()) return text;
    if (settings.pad_id >= static_cast<std::int32_t>(view().size()))
      return "the id of a special token is outside the vocabulary";
    if (const char* text = AddedTokens::problem(added())) return text;
    if (const char* text = settings.around.problem(view().size())) return text;
    return WordPiece::problem(view(), settings.model);
  }

  Tokenizer tokenizer(const Settings& settings = {}) const {
    EXPECT_EQ(problem(settings), nullptr);
    Tokenizer::Parts parts{.vocabulary = view(),
                           .raw = AddedTokens(added()),
                           .normalized = AddedTokens({}),
                           .normalizers = {},
                           .pre_tokenizers = {},
                           .model = std::make_unique<WordPiece>(view(), settings.model),
                           .fused = std::make_unique<FusedBert>(settings.bert),
                           .around = settings.around,
                           .pad_id = settings.pad_id};
    parts.normalizers.push_back(std::make_unique<BertNormalizer>(settings.bert));
    parts.pre_tokenizers.push_back(std::make_unique<BertPreTokenizer>());
    return Tokenizer(std::move(parts));
  }

  // Ids without the special tokens around them.
  Ids encode(std::string_view text, const Settings& settings = {}) const {
    const Tokenizer both = tokenizer(settings);
    Ids ids, staged;
    both.encode(text, ids);
    std::vector<Placed> tokens;
    both.encode(text, tokens);  // the stages one by one
    for (const Placed& token : tokens) staged.push_back(token.id);
    EXPECT_EQ(ids, staged) << text;
    return ids;
  }

  void expect_problem(const std::string& part, const Settings& settings = {}) const {
    const char* text = problem(settings);
    ASSERT_NE(text, nullptr) << part;
    EXPECT_NE(std::string(text).find(part), std::string::npos) << text;
  }

  std::string blob;
  std::vector<std::int32_t> offsets{0};
  std::vector<std::int32_t> slots;
  std::vector<std::uint32_t> added_ids;
};

// The vocabulary of most tests.
inline SmallVocabulary words() {
  //                                  5      6        7       8       9      10     11   12   13   14     15
  return SmallVocabulary::bert({"turn", "light", "##ing", "##s", "cafe", "##é", "!", "[", "]", "中", "##中",
                                //  16  17    18      19      20      21    22        23   24      25     26
                                "a", "b", "##a", "##b", "ab", "i", "##̇", "i̇", "Turn", "café", "mask"});
}

// The same for tests of what is unsound: ids 0 to 8.
inline SmallVocabulary sound() { return SmallVocabulary::bert({"a", "##a", "b", "中"}); }

}  // namespace potstill::tokenizer::testing
