// The tokenizer of a file: its tables checked, used in place.
#pragma once

#include <cstdint>
#include <optional>

#include "format/reader.h"
#include "tokenizer/wordpiece.h"

namespace potstill::graph {

// nullopt when the file has none. The tokenizer points into `file`'s mapping.
// Throws Error F039 (a table is missing or of the wrong kind), F040 (tables unsound), F043 (more pieces than the model
// has embedding rows).
std::optional<tokenizer::WordPieceTokenizer> read_tokenizer(const format::File& file, uint32_t vocabulary);

}  // namespace potstill::graph
