#include "graph/session.h"

#include <algorithm>
#include <bit>
#include <new>
#include <string>

#include "parallel/fp_state.h"
#include "parallel/threads.h"
#include "potstill/error.h"

namespace potstill::graph {
namespace {

constexpr std::align_val_t kAlignment{64};

void check(const Graph& graph, const Ragged& batch) {
  const int32_t padding = graph.tokenizer ? graph.tokenizer->padding() : -1;
  for (std::size_t s = 0; s + 1 < batch.offsets.size(); ++s) {
    const std::size_t begin = batch.offsets[s], end = batch.offsets[s + 1];
    const std::string place = "sequence " + std::to_string(s);
    if (begin >= end) throw Error("I001", "the sequence is empty", place, "give at least one token id");
    if (end - begin > graph.max_tokens) {
      throw Error(
          "I002",
          "it has " + std::to_string(end - begin) + " tokens, the model takes " + std::to_string(graph.max_tokens),
          place, "shorten it, or truncate");
    }
    for (std::size_t i = begin; i < end; ++i) {
      if (batch.ids[i] < 0 || static_cast<uint32_t>(batch.ids[i]) >= graph.vocabulary) {
        throw Error("I003",
                    "token id " + std::to_string(batch.ids[i]) + " is outside the vocabulary of " +
                        std::to_string(graph.vocabulary),
                    place + ", position " + std::to_string(i - begin), "use the tokenizer this model was made with");
      }
      if (!batch.types.empty() && (batch.types[i] < 0 || static_cast<uint32_t>(batch.types[i]) >= graph.types)) {
        throw Error("I014", "the model has no token type " + std::to_string(batch.types[i]),
                    place + ", position " + std::to_string(i - begin),
                    graph.types == 1 ? "it reads one text, not a pair of texts" : "use types 0 and 1");
      }
      if (std::binary_search(graph.forbidden.begin(), graph.forbidden.end(), static_cast<uint32_t>(batch.ids[i]))) {
        const bool filler = batch.ids[i] == padding;
        throw Error("I104", "token id " + std::to_string(batch.ids[i]) + " must not stand in a sequence of this model",
                    place + ", position " + std::to_string(i - begin),
                    filler ? "it is padding: leave it out, or pass attention_mask" : "leave it out");
      }
    }
    if (graph.tokenizer && graph.tokenizer->padded(batch.ids.subspan(begin, end - begin))) {
      throw Error("I103",
                  "the sequence is padded: the id " + std::to_string(padding) + " stands behind its text, or before it",
                  place, "leave the padding out, or pass attention_mask");
    }
  }
}

// An all-ones exponent is NaN or an infinity.
bool all_finite(std::span<const float> values) {
  uint32_t found = 0;
  for (const float value : values) found |= (std::bit_cast<uint32_t>(value) & 0x7f800000u) == 0x7f800000u ? 1u : 0u;
  return found == 0;
}

// `sequence` makes of a row's number that of its sequence.
void copy_rows(std::span<const float> from, float* to, std::size_t columns, const char* what, const auto& sequence) {
  if (!all_finite(from)) {
    std::size_t row = 0;
    while (all_finite(from.subspan(row * columns, columns))) ++row;
    throw Error("F062", std::string("the model gives NaN or infinity as ") + what,
                "sequence " + std::to_string(sequence(row)),
                "its weights overflow: train, export or compile it again, with --scheme fp32 to find where");
  }
  std::copy(from.begin(), from.end(), to);
}

}  // namespace

void Session::Free::operator()(std::byte* data) const noexcept { ::operator delete(data, kAlignment); }

Session::Session(const Graph& graph, parallel::Pool& pool)
    : graph_(graph),
      arena_(static_cast<std::byte*>(::operator new(std::max<std::size_t>(graph.plan.bytes, 64), kAlignment))),
      pool_(&pool),
      phases_(graph.ops.size()) {
  positions_.reserve(graph.sizes.tokens);
  offsets_.reserve(graph.sizes.sequences + 1);
  for (const std::size_t offset : graph.plan.values) {
    values_.push_back(reinterpret_cast<float*>(arena_.get() + offset));
  }
  forms_.resize(graph.plan.forms.size());
  for (std::size_t i = 0; i < forms_.size(); ++i) {
    const Form& form = graph.plan.forms[i];
    if (!form.used) continue;
    const ops::Shape& value = graph.values[i / 2];
    forms_[i] = {arena_.get() + form.offset, form.maker,
                 value.rows == fb::Rows::Tokens ? graph.sizes.tokens : graph.sizes.sequences,
                 ops::Quantized::leading(value.width)};
  }
}

void Session::run_ops(std::span<const int32_t> ids, std::span<const int32_t> types, parallel::Team& team) const {
  ops::Run run{*graph_.kernels, team, ids, types, positions_, offsets_, values_, forms_, 0, nullptr};
  for (std::size_t i = 0; i < graph_.ops.size(); ++i) {
    team.begin(i);
    run.op = static_cast<uint32_t>(i);
    run.scratch = arena_.get() + graph_.plan.scratch[i];
    graph_.ops[i]->run(run);
  }
}

void Session::run_chunk(std::span<const int32_t> ids, std::span<const int32_t> types, Recorder* recorder) {
  positions_.resize(ids.size());
  for (std::size_t s = 0; s + 1 < offsets_.size(); ++s) {
    for (uint32_t i = offsets_[s]; i < offsets_[s + 1]; ++i) positions_[i] = static_cast<int32_t>(i - offsets_[s]);
  }
  uint64_t work = 0;
  for (const auto& op : graph_.ops) work += op->cost(offsets_).work();
  const int threads = parallel::worth_threads(graph_.sizes.threads, work, graph_.work_a_thread);
  const auto track = [&](int thread) {
    return recorder == nullptr ? nullptr : &recorder->tracks[static_cast<std::size_t>(thread)];
  };
  if (recorder != nullptr) recorder->threads = threads;
  if (threads == 1) {
    parallel::Team alone(track(0));
    run_ops(ids, types, alone);
    return;
  }
  phases_.reset();
  const auto member = [&](int thread) {
    parallel::Team team(phases_, thread, threads, track(thread));
    run_ops(ids, types, team);
  };
  pool_->run(threads, parallel::Work(member));
}

void Session::run(const Ragged& batch, float* logits, float* embedding, Recorder* recorder) {
  check(graph_, batch);
  const parallel::FpState state;
  const std::size_t sequences = batch.offsets.empty() ? 0 : batch.offsets.size() - 1;
  const std::size_t labels = graph_.width(graph_.logits), hidden = graph_.width(graph_.embedding);
  for (std::size_t first = 0; first < sequences;) {
    // As many whole sequences as fit into one chunk; one always does.
    const std::size_t begin = batch.offsets[first];
    std::size_t last = first;
    offsets_.assign(1, 0);
    while (last < sequences && batch.offsets[last + 1] - begin <= graph_.sizes.tokens) {
      offsets_.push_back(static_cast<uint32_t>(batch.offsets[++last] - begin));
    }
    const auto types = batch.types.empty() ? batch.types : batch.types.subspan(begin, offsets_.back());
    run_chunk(batch.ids.subspan(begin, offsets_.back()), types, recorder);
    const std::size_t count = last - first;
    const auto result = [&](int value, std::size_t size) {
      return std::span<const float>(values_[static_cast<std::size_t>(value)], size);
    };
    const auto own = [&](std::size_t row) { return first + row; };
    if (logits != nullptr && labels > 0 && graph_.per_token) {
      const auto of_token = [&](std::size_t row) {
        const auto after = std::upper_bound(offsets_.begin(), offsets_.end(), static_cast<uint32_t>(row));
        return first + static_cast<std::size_t>(after - offsets_.begin()) - 1;
      };
      copy_rows(result(graph_.logits, offsets_.back() * labels), logits + begin * labels, labels, "logits", of_token);
    } else if (logits != nullptr && labels > 0) {
      copy_rows(result(graph_.logits, count * labels), logits + first * labels, labels, "logits", own);
    }
    if (embedding != nullptr && hidden > 0) {
      copy_rows(result(graph_.embedding, count * hidden), embedding + first * hidden, hidden, "embedding", own);
    }
    first = last;
  }
}

}  // namespace potstill::graph
