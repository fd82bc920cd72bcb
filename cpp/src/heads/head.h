// A head says what a value of the graph means: what must hold of it, and how a row of it becomes scores. One file a
// kind, and its row in kinds.def.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "still_generated.h"

namespace potstill::heads {

// What is wrong with a head; an empty `what` is nothing.
struct Problem {
  const char* code = "";
  std::string what = {};
};

struct Kind {
  fb::HeadBody body;
  const char* name;  // of the kind, as Info::head has it
  fb::Rows rows;     // its value has one row a token, or one a sequence
  bool labelled;     // it may have labels, one a column
  // What is wrong with a head whose value has `width` columns, beside its rows and labels.
  Problem (*check)(const fb::Head& head, std::size_t width);
  // The scores of one row of the value, as many as columns, in binary64; null: the row is a vector and has none.
  void (*scores)(const fb::Head& head, std::span<const float> row, std::span<double> out);
};

#define POTSTILL_HEAD(table) extern const Kind k##table;
#include "heads/kinds.def"

// The kind of a head, or null for one that this potstill does not know.
const Kind* kind_of(fb::HeadBody body) noexcept;

}  // namespace potstill::heads
