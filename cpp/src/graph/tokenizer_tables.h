// The tokenizer of a file: its tables checked, used in place.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "format/reader.h"
#include "tokenizer/wordpiece.h"

namespace potstill::graph {

// nullopt when the file has none. The tokenizer points into `file` and into `added`, which gets its added tokens.
// Throws Error F039 (a table is missing or of the wrong kind), F040 (tables unsound), F043 (more pieces than the model
// has embedding rows, `vocabulary`), F067 (steps that this core does not run, or pairs without a template for them).
std::optional<tokenizer::WordPieceTokenizer> read_tokenizer(format::File& file, uint32_t vocabulary, uint32_t types,
                                                            std::vector<uint32_t>& added);

}  // namespace potstill::graph
