#include "tokenizer/normalizers/prepend.h"

#include "tokenizer/load.h"
#include "tokenizer/utf8.h"

namespace potstill::tokenizer {

std::unique_ptr<const Normalizer> Prepend::make(const Load& load, const fb::Normalizer& header) {
  const flatbuffers::String* text = header.body_as_Prepend()->text();
  if (text == nullptr || text->size() == 0 || text->size() > kMaxText || !utf8::valid(text->string_view())) {
    load.refuse("what Prepend puts before a text must be 1 to 64 bytes of UTF-8");
  }
  return std::make_unique<Prepend>(text->string_view());
}

// It has the place of the first character.
void Prepend::apply(Text& text) const {
  if (text.bytes.empty()) return;
  text.bytes.insert(0, prefix_);
  if (text.tracked) text.origins.insert(text.origins.begin(), prefix_.size(), Origin(text.origins.front()));
}

}  // namespace potstill::tokenizer
