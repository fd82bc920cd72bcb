// A checked, ready-to-run model: immutable after load, shared by all threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "format/reader.h"
#include "graph/plan.h"
#include "heads/head.h"
#include "kernels/kernels.h"
#include "ops/op.h"
#include "parallel/threads.h"
#include "tokenizer/tokenizer.h"

namespace potstill::graph {

// Tokens of one chunk of a big batch: it bounds the arena, and keeps activations near the caches. A single sequence
// longer than this (max_tokens up to 8192) makes the chunk that long.
inline constexpr std::size_t kChunkTokens = 256;

struct Graph {
  format::File file;
  std::vector<ops::Shape> values;
  std::vector<std::unique_ptr<ops::Op>> ops;
  struct Head {
    const fb::Head* header = nullptr;
    const heads::Kind* kind = nullptr;
  };
  std::vector<Head> results;  // checked, in the file's order
  Head numbers;               // of them the one that gives logits, or an empty one
  int embedding = -1;         // value index of the pooled vectors, or -1
  int logits = -1;            // value index of the logits, or -1
  bool per_token = false;     // the logits have one row a token, not one a sequence
  uint32_t vocabulary = 0;    // ids are in [0, vocabulary)
  uint32_t types = 1;         // token types are in [0, types); 1: they are not told apart
  uint32_t max_tokens = 0;
  std::span<const uint32_t> forbidden;  // ascending; ids that no sequence may have
  std::optional<tokenizer::Tokenizer> tokenizer;
  const kernels::KernelTable* kernels = nullptr;
  ops::Sizes sizes{};
  uint64_t work_a_thread = 0;  // parallel::worth_threads
  Plan plan;

  // Columns of a result, 0 when the model does not give it.
  std::size_t width(int value) const { return value < 0 ? 0 : values[static_cast<std::size_t>(value)].width; }
};

// Checks what the graph means and plans its memory. Throws Error F022..F047, F063..F072, K001, K002 (POTSTILL_ISA).
// `work_a_thread` is the work that pays for one more thread; tests give 0, and get all threads always.
std::unique_ptr<const Graph> build(format::File file, int threads, uint64_t work_a_thread = parallel::kWorkAThread);

}  // namespace potstill::graph
