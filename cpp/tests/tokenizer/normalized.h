// What a normalizer makes of a text.
#pragma once

#include <string>
#include <string_view>

#include "tokenizer/normalizers/normalizer.h"

namespace potstill::tokenizer {

// The text, and behind a bar the places its bytes come from: "fi|0-3 0-3".
inline std::string normalized(const Normalizer& normalizer, std::string_view given) {
  Text text(given, 0, true);
  normalizer.apply(text);
  std::string found = text.bytes + "|";
  for (const Origin& origin : text.origins) {
    if (found.back() != '|') found += ' ';
    found += std::to_string(origin.begin) + "-" + std::to_string(origin.end);
  }
  Text untracked(given, 0, false);
  normalizer.apply(untracked);
  return untracked.bytes == text.bytes && untracked.origins.empty() ? found : "differs where it is not tracked";
}

}  // namespace potstill::tokenizer
