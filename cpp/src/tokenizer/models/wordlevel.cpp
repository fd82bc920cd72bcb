#include "tokenizer/models/wordlevel.h"

#include "tokenizer/load.h"

namespace potstill::tokenizer {

const char* WordLevel::problem(const Vocabulary& vocabulary, std::int32_t unk_id) noexcept {
  return vocabulary.has(unk_id) ? nullptr : "the id of the unknown token is outside the vocabulary";
}

std::unique_ptr<const Model> WordLevel::make(const Load& load, const Vocabulary& vocabulary) {
  const std::int32_t unk_id = load.header().model_as_WordLevel()->unk_id();
  load.refuse(problem(vocabulary, unk_id));
  return std::make_unique<WordLevel>(vocabulary, unk_id);
}

void WordLevel::encode(std::string_view word, std::uint32_t at, std::vector<Token>& out) const {
  const std::int32_t id = vocabulary_.find(word);
  out.push_back({id >= 0 ? id : unk_id_, at, at + static_cast<std::uint32_t>(word.size())});
}

}  // namespace potstill::tokenizer
