// Running a graph: one session a call, with the arena all activations live in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "graph/graph.h"
#include "graph/profile.h"
#include "parallel/pool.h"
#include "parallel/team.h"

namespace potstill::graph {

// A ragged batch: sequence s is ids[offsets[s] .. offsets[s + 1]).
struct Ragged {
  std::span<const int32_t> ids;
  std::span<const std::size_t> offsets;  // sequences + 1, ascending from 0 to ids.size()
  std::span<const int32_t> types = {};   // token type of each id, or empty: all 0
};

class Session {
 public:
  // Allocates the arena (graph.plan.bytes; untouched pages cost nothing); after its first run of a size a session
  // allocates nothing. `graph` and `pool` must outlive the session.
  explicit Session(const Graph& graph, parallel::Pool& pool = parallel::pool());

  // `logits` gets [sequences, labels] (graph.per_token: [ids, labels]), `embedding` [sequences, hidden]; either may be
  // null. Results of a sequence don't depend on what else is in the batch. Throws Error I001 (empty sequence), I002
  // (longer than max_tokens), I003 (id outside the vocabulary), I014 (token type that the model has not), I103 (padding
  // at an end), I104 (forbidden id), all found before anything runs, and F062 (a result is NaN or infinite). With a
  // `recorder` of at least graph.sizes.threads tracks, every phase is recorded in it.
  void run(const Ragged& batch, float* logits, float* embedding, Recorder* recorder = nullptr);

 private:
  struct Free {
    void operator()(std::byte* data) const noexcept;
  };
  void run_chunk(std::span<const int32_t> ids, std::span<const int32_t> types, Recorder* recorder);
  void run_ops(std::span<const int32_t> ids, std::span<const int32_t> types, parallel::Team& team) const;

  const Graph& graph_;
  std::unique_ptr<std::byte, Free> arena_;
  parallel::Pool* pool_;
  parallel::Phases phases_;
  std::vector<float*> values_;
  std::vector<ops::Quantized> forms_;
  std::vector<int32_t> positions_;
  std::vector<uint32_t> offsets_;
};

}  // namespace potstill::graph
