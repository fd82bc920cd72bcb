// What ByteLevel and RobertaProcessing do to the places of tokens (their trim_offsets).
#pragma once

#include <span>
#include <string_view>

#include "tokenizer/models/model.h"
#include "tokenizer/pre_tokenizers/pre_tokenizer.h"
#include "tokenizer/vocabulary.h"

namespace potstill::tokenizer {

// Takes the white space at the ends of each piece, U+0120 being some, out of the token's place, in characters.
// prefix_space: one space before the first token, or before a token whose place begins with the text, is taken for the
// one that ByteLevel put there, which no place has.
void trim(const Vocabulary& vocabulary, bool prefix_space, std::span<Token> tokens) noexcept;

// Bytes of `text` without the white space at their ends; `prefix_space` leaves a single space in front. What is all
// white space stays as it is.
Range without_spaces(std::string_view text, Range range, bool prefix_space) noexcept;

}  // namespace potstill::tokenizer
