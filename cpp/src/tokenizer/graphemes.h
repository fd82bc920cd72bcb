// Extended grapheme clusters, as the Precompiled normalizer of `tokenizers` cuts text into them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace potstill::tokenizer {

// Same values as in unicode_graphemes.py, up to kSyllable. Regional indicators are kOther: a pair of them is 8 bytes,
// and clusters above 5 bytes make no difference to that normalizer.
enum class Grapheme : std::uint8_t {
  kOther,
  kControl,
  kCr,
  kLf,
  kExtend,        // goes on with a cluster and with an emoji
  kJoinedExtend,  // ... and with an Indic conjunct
  kLinker,        // ... and joins the consonants around it
  kZwj,
  kSpacingMark,
  kPrepend,
  kPictographic,
  kConsonant,
  kLead,
  kVowel,
  kTail,
  kSyllable,        // Hangul, in the tables
  kClosedSyllable,  // one that has a tail; kSyllable is one without in what follows
};

// The end of the cluster that begins at byte `at` of a valid text.
std::size_t cluster_end(std::string_view text, std::size_t at) noexcept;

}  // namespace potstill::tokenizer
