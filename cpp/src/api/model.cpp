// potstill::Model: a graph and the sessions its callers borrow.
#include "potstill/model.hpp"

#include <algorithm>
#include <mutex>
#include <new>
#include <utility>

#include "api/tokenize.h"
#include "api/words.h"
#include "format/reader.h"
#include "graph/graph.h"
#include "graph/profile.h"
#include "graph/session.h"
#include "parallel/threads.h"

namespace potstill {
namespace {

std::string text(const flatbuffers::String* value) { return value == nullptr ? std::string() : value->str(); }

Info describe(const graph::Graph& graph) {
  const fb::Card& card = *graph.file.model->card();
  Info info;
  info.name = text(card.name());
  info.task = text(card.task());
  info.scheme = text(card.scheme());
  info.producer = text(card.producer());
  info.license = text(card.license());
  if (card.provenance() != nullptr) {
    for (const auto* entry : *card.provenance()) info.provenance.emplace_back(text(entry->key()), text(entry->value()));
  }
  for (const graph::Graph::Head& head : graph.results) {
    if (head.header != graph.numbers.header && graph.numbers.header != nullptr) continue;
    info.head = head.kind->name;
    info.temperature = head.header->temperature();
    info.threshold = head.header->threshold();
  }
  if (const fb::Head* head = graph.numbers.header; head != nullptr) {
    if (head->labels() != nullptr) {
      for (const auto* label : *head->labels()) info.labels.push_back(text(label));
    }
    info.multi_label = head->body_type() == fb::HeadBody::MultiLabel;
    if (const fb::Score* score = head->body_as_Score(); score != nullptr) {
      info.score = score->kind() == fb::ScoreKind::Sigmoid ? Score::Sigmoid : Score::Raw;
    }
  }
  info.pairs = graph.types > 1;
  info.per_token = graph.per_token;
  constexpr const char* kUnits[] = {"words", "characters", "given"};
  if (graph.per_token) info.units = kUnits[static_cast<std::size_t>(api::units_of(graph))];
  info.forbidden_ids.assign(graph.forbidden.begin(), graph.forbidden.end());
  info.max_tokens = graph.max_tokens;
  info.vocabulary = graph.vocabulary;
  info.logits = static_cast<uint32_t>(graph.width(graph.logits));
  info.hidden = static_cast<uint32_t>(graph.width(graph.embedding));
  for (const fb::Op* op : *graph.file.model->ops()) {
    if (const fb::Attention* attention = op->body_as_Attention()) {
      ++info.layers;
      info.heads = attention->heads();
    } else if (op->body_as_Linear() != nullptr) {
      info.intermediate = std::max(info.intermediate, graph.file.model->values()->Get(op->inputs()->Get(0))->width());
    } else if (op->body_as_Normalize() != nullptr && static_cast<int>(op->output()) == graph.embedding) {
      info.normalized = true;
    }
  }
  for (const auto& op : graph.ops) info.parameters += op->parameters;
  info.bytes = graph.file.mapping.bytes().size();
  info.arena_bytes = graph.plan.bytes;
  info.has_tokenizer = graph.tokenizer.has_value();
  info.isa = graph.kernels->name;
  info.threads = graph.sizes.threads;
  return info;
}

}  // namespace

struct Model::Impl {
  std::unique_ptr<const graph::Graph> graph;
  Info info;

  // Idle sessions; as many exist as calls ever ran at once.
  mutable std::mutex mutex;
  mutable std::vector<std::unique_ptr<graph::Session>> idle;

  static std::shared_ptr<const Impl> make(format::File file, int threads) {
    auto impl = std::make_shared<Impl>();
    impl->graph = graph::build(std::move(file), threads);
    impl->info = describe(*impl->graph);
    return impl;
  }

  std::unique_ptr<graph::Session> borrow() const {
    {
      const std::lock_guard lock(mutex);
      if (!idle.empty()) {
        auto session = std::move(idle.back());
        idle.pop_back();
        return session;
      }
    }
    return std::make_unique<graph::Session>(*graph);
  }

  void give_back(std::unique_ptr<graph::Session> session) const {
    const std::lock_guard lock(mutex);
    idle.push_back(std::move(session));
  }
};

Model Model::load(const std::string& path, int threads, bool mapped) {
  const int team = parallel::resolve_threads(threads);
  return Model(Impl::make(format::read(mapped ? format::Mapping::map(path) : format::Mapping::read(path), path), team));
}

Model Model::from_memory(std::span<const std::byte> bytes, int threads, const std::string& name) {
  const int team = parallel::resolve_threads(threads);
  return Model(Impl::make(format::read(format::Mapping::copy(bytes), name), team));
}

const Info& Model::info() const noexcept { return impl_->info; }

std::span<const std::byte> Model::content() const noexcept { return impl_->graph->file.mapping.bytes(); }

std::span<const std::byte> Model::header() const noexcept { return impl_->graph->file.header; }

namespace {

constexpr const char* kDTypes[] = {"f32", "i8", "i4", "i32", "u8"};

}  // namespace

std::vector<OpInfo> Model::ops() const {
  std::vector<OpInfo> all;
  for (const auto& op : impl_->graph->ops) {
    const ops::Shape& made = impl_->graph->values[op->output];
    const ops::Facts facts = op->facts();
    all.push_back({op->name, op->kind(), made.rows == fb::Rows::Tokens, made.width, facts.inputs, facts.heads,
                   kDTypes[static_cast<std::size_t>(facts.weights)], facts.activation,
                   static_cast<int>(op->output) == impl_->graph->logits, op->parameters});
  }
  return all;
}

std::vector<Weight> Model::weights() const {
  std::vector<Weight> all;
  for (const fb::Tensor* tensor : *impl_->graph->file.model->tensors()) {
    all.push_back({tensor->name()->string_view(),
                   kDTypes[static_cast<std::size_t>(tensor->dtype())],
                   {tensor->shape()->begin(), tensor->shape()->end()},
                   tensor->size()});
  }
  return all;
}

std::vector<std::vector<int32_t>> Model::tokenize(std::span<const std::string_view> texts, bool truncate) const {
  return api::ids_of_texts(*impl_->graph, texts, truncate);
}

std::vector<Words> Model::tokenize_words(std::span<const std::vector<std::string_view>> texts, bool truncate) const {
  return api::ids_of_words(*impl_->graph, texts, truncate);
}

std::vector<Tokens> Model::tokenize_pairs(std::span<const std::pair<std::string_view, std::string_view>> pairs,
                                          bool truncate) const {
  return api::ids_of_pairs(*impl_->graph, pairs, truncate);
}

Output Model::run(std::span<const int32_t> ids, std::span<const std::size_t> offsets) const {
  return run(ids, offsets, {});
}

Output Model::run(std::span<const int32_t> ids, std::span<const std::size_t> offsets,
                  std::span<const int32_t> types) const {
  const graph::Graph& graph = *impl_->graph;
  if (!types.empty() && types.size() != ids.size()) {
    throw Error("I010", std::to_string(types.size()) + " token types for " + std::to_string(ids.size()) + " ids",
                "types", "give one an id");
  }
  if (!offsets.empty() && (offsets.front() != 0 || offsets.back() != ids.size())) {
    throw Error("I020", "offsets must go from 0 to the number of ids", "offsets", "give one end a sequence");
  }
  const std::size_t sequences = offsets.empty() ? 0 : offsets.size() - 1;
  Output out;
  const auto shape = [&](Matrix& matrix, int value, std::size_t rows) {
    matrix.rows = rows;
    matrix.columns = graph.width(value);
    // A batch of many rows and a wide result may be over 32 bits.
    const uint64_t size = uint64_t{rows} * matrix.columns;
    if (size > matrix.data.max_size()) throw std::bad_alloc();
    matrix.data.resize(static_cast<std::size_t>(size));
    return matrix.data.empty() ? nullptr : matrix.data.data();
  };
  float* logits = shape(out.logits, graph.logits, graph.per_token ? ids.size() : sequences);
  float* embedding = shape(out.embedding, graph.embedding, sequences);
  auto session = impl_->borrow();
  session->run({ids, offsets, types}, logits, embedding);  // when it throws, the session is simply dropped
  impl_->give_back(std::move(session));
  return out;
}

Output Model::run(std::span<const std::vector<int32_t>> sequences) const {
  std::vector<int32_t> ids;
  std::vector<std::size_t> offsets{0};
  for (const auto& sequence : sequences) {
    ids.insert(ids.end(), sequence.begin(), sequence.end());
    offsets.push_back(ids.size());
  }
  return run(ids, offsets);
}

std::vector<std::vector<Offset>> Model::offsets(std::span<const std::string_view> texts, bool truncate) const {
  return api::offsets_of_texts(*impl_->graph, texts, truncate);
}

std::vector<std::vector<Offset>> Model::offsets(std::span<const std::pair<std::string_view, std::string_view>> pairs,
                                                bool truncate) const {
  return api::offsets_of_pairs(*impl_->graph, pairs, truncate);
}

Output Model::run(std::span<const Tokens> sequences) const {
  std::vector<int32_t> ids, types;
  std::vector<std::size_t> offsets{0};
  for (const Tokens& sequence : sequences) {
    ids.insert(ids.end(), sequence.ids.begin(), sequence.ids.end());
    types.insert(types.end(), sequence.types.begin(), sequence.types.end());
    offsets.push_back(ids.size());
  }
  return run(ids, offsets, types);
}

Output Model::run(std::span<const Words> texts) const {
  std::vector<int32_t> ids;
  std::vector<std::size_t> offsets{0}, places;
  for (const Words& text : texts) {
    for (const int32_t first : text.firsts) {
      if (first < 0 || static_cast<std::size_t>(first) >= text.ids.size()) {
        throw Error("I020", "the place of a word is outside of its ids", "text " + std::to_string(offsets.size() - 1),
                    "give places in the ids");
      }
      places.push_back(ids.size() + static_cast<std::size_t>(first));
    }
    ids.insert(ids.end(), text.ids.begin(), text.ids.end());
    offsets.push_back(ids.size());
  }
  Output out = run(ids, offsets);
  if (!impl_->graph->per_token) return out;
  Matrix words{places.size(), out.logits.columns, {}};
  words.data.reserve(words.rows * words.columns);
  for (const std::size_t place : places) {
    const float* row = out.logits.data.data() + place * words.columns;
    words.data.insert(words.data.end(), row, row + words.columns);
  }
  out.logits = std::move(words);
  return out;
}

std::vector<TaggedWord> Model::tag(std::string_view text, bool truncate) const {
  if (!impl_->info.per_token) {
    throw Error("I018", "the model labels whole texts, not words", "tag", "take its logits");
  }
  std::vector<api::Place> places = api::places_of_words(text, api::units_of(*impl_->graph));
  std::vector<std::string_view> words;
  words.reserve(places.size());
  for (const api::Place& place : places) words.push_back(place.word);
  const std::vector<Words> read = tokenize_words(std::span(&words, 1), truncate);
  const Matrix logits = run(read).logits;
  const std::vector<double> all = scores(logits);
  std::vector<TaggedWord> tagged;
  for (std::size_t i = 0; i < logits.rows; ++i) {
    const auto row = std::span(all).subspan(i * logits.columns, logits.columns);
    const auto top = std::ranges::max_element(row);
    const auto label = static_cast<std::size_t>(top - row.begin());
    api::Place& place = places[i];
    tagged.push_back(
        {place.begin, place.end, place.begin_character, place.end_character, std::move(place.word), label, *top});
  }
  return tagged;
}

std::vector<double> Model::scores(const Matrix& logits) const {
  const graph::Graph::Head& head = impl_->graph->numbers;
  if (head.kind == nullptr || logits.columns != impl_->info.logits) {
    throw Error("I008", "the model gives no such logits", impl_->graph->file.where, "give what run() gave");
  }
  std::vector<double> all(logits.data.size());
  for (std::size_t row = 0; row < logits.rows; ++row) {
    head.kind->scores(*head.header, std::span(logits.data).subspan(row * logits.columns, logits.columns),
                      std::span(all).subspan(row * logits.columns, logits.columns));
  }
  return all;
}

Profile Model::profile(std::span<const std::vector<int32_t>> sequences, int runs) const {
  constexpr int kMostRuns = 10000;
  const graph::Graph& graph = *impl_->graph;
  std::vector<int32_t> ids;
  std::vector<std::size_t> offsets{0};
  std::vector<uint32_t> chunk{0};
  for (const auto& sequence : sequences) {
    ids.insert(ids.end(), sequence.begin(), sequence.end());
    offsets.push_back(ids.size());
    chunk.push_back(static_cast<uint32_t>(ids.size()));
  }
  if (sequences.empty() || (sequences.size() > 1 && ids.size() > graph.sizes.tokens)) {
    throw Error("I021", "a profile needs a batch of one chunk", "profile",
                "give one sequence, or several of " + std::to_string(graph.sizes.tokens) + " tokens together");
  }
  if (runs < 1 || runs > kMostRuns) {
    throw Error("I021", std::to_string(runs) + " runs can't be profiled", "profile",
                "give 1 to " + std::to_string(kMostRuns));
  }
  const std::size_t slices = graph.ops.size() * parallel::kPhasesAnOp;
  std::vector<graph::Recorder> recorders;
  std::vector<int64_t> begin, end;
  auto session = impl_->borrow();
  for (int i = 0; i < 2; ++i) session->run({ids, offsets}, nullptr, nullptr);  // caches, helpers
  for (int i = 0; i < runs; ++i) {
    graph::Recorder& recorder = recorders.emplace_back(graph.sizes.threads, slices);
    begin.push_back(parallel::Track::now());
    session->run({ids, offsets}, nullptr, nullptr, &recorder);
    end.push_back(parallel::Track::now());
  }
  impl_->give_back(std::move(session));
  return graph::summarize(graph, chunk, recorders, begin, end);
}

}  // namespace potstill
