#include "graph/graph.h"

#include <algorithm>
#include <utility>

#include "format/fail.h"
#include "graph/tokenizer_tables.h"
#include "kernels/select.h"

namespace potstill::graph {
namespace {

using format::fail;

std::vector<ops::Shape> read_values(const format::File& file) {
  std::vector<ops::Shape> shapes;
  shapes.reserve(file.model->values()->size());
  for (const fb::Value* value : *file.model->values()) {
    if (value->rows() > fb::Rows::Sequences || value->width() == 0 || value->width() > format::kMaxWidth) {
      fail("F022", "unknown rows, or a width outside [1, " + std::to_string(format::kMaxWidth) + "]",
           file.where + ": value '" + format::printable({value->name()->c_str(), value->name()->size()}) + "'");
    }
    shapes.push_back({value->rows(), value->width()});
  }
  return shapes;
}

// Every value is written exactly once, and before it is read.
void check_order(const format::File& file) {
  std::vector<bool> written(file.model->values()->size(), false);
  for (const fb::Op* op : *file.model->ops()) {
    const std::string place =
        file.where + ": op '" + format::printable({op->name()->c_str(), op->name()->size()}) + "'";
    if (op->inputs() != nullptr) {
      for (const uint32_t input : *op->inputs()) {
        if (input >= written.size())
          fail("F023", "input " + std::to_string(input) + " is not a value of the file", place);
        if (!written[input]) fail("F025", "value " + std::to_string(input) + " is read before it is written", place);
      }
    }
    if (op->output() >= written.size()) fail("F024", "its output is not a value of the file", place);
    if (written[op->output()]) fail("F024", "its output is written a second time", place);
    written[op->output()] = true;
  }
  const auto missing = std::find(written.begin(), written.end(), false);
  if (missing != written.end()) {
    fail("F026", "value " + std::to_string(missing - written.begin()) + " is never written", file.where + ": graph");
  }
}

int check_result(const Graph& graph, int32_t value, const char* field) {
  if (value == -1) return -1;
  if (value < 0 || static_cast<std::size_t>(value) >= graph.values.size())
    fail("F038", "it is not a value of the file", graph.file.where + ": " + field);
  return value;
}

bool per_token(const Graph& graph, int value) {
  return value >= 0 && graph.values[static_cast<std::size_t>(value)].rows == fb::Rows::Tokens;
}

void check_results(Graph& graph) {
  const fb::Model& model = *graph.file.model;
  graph.embedding = check_result(graph, model.embedding_value(), "embedding_value");
  graph.logits = check_result(graph, model.logits_value(), "logits_value");
  graph.per_token = per_token(graph, graph.logits);
  if (per_token(graph, graph.embedding)) {
    fail("F038", "it has one row a token, not one a sequence", graph.file.where + ": embedding_value");
  }
  if (graph.embedding < 0 && graph.logits < 0)
    fail("F038", "the graph gives neither logits nor an embedding", graph.file.where);
  const std::size_t labels = model.metadata()->labels() == nullptr ? 0 : model.metadata()->labels()->size();
  if (labels != 0 && labels != graph.width(graph.logits)) {
    fail("F037", std::to_string(labels) + " labels for " + std::to_string(graph.width(graph.logits)) + " logits",
         graph.file.where + ": metadata");
  }
}

// A model with one logit for a text gives a score, whether its file says how (from schema version 4 on) or not.
void check_score(Graph& graph) {
  const fb::Metadata& meta = *graph.file.model->metadata();
  const bool one = graph.width(graph.logits) == 1 && !graph.per_token && !meta.multi_label();
  graph.score = meta.score();
  if (graph.score > fb::ScoreKind::Sigmoid || (graph.score != fb::ScoreKind::None && !one)) {
    fail("F063", "a score of unknown kind, or of a model that has not one logit alone",
         graph.file.where + ": metadata");
  }
  if (one && graph.score == fb::ScoreKind::None) graph.score = fb::ScoreKind::Raw;
}

void check_forbidden(Graph& graph) {
  const auto* ids = graph.file.model->metadata()->forbidden_ids();
  if (ids == nullptr) return;
  graph.forbidden = {ids->data(), ids->size()};
  for (std::size_t i = 0; i < graph.forbidden.size(); ++i) {
    if (graph.forbidden[i] >= graph.vocabulary || (i > 0 && graph.forbidden[i] <= graph.forbidden[i - 1])) {
      fail("F064", "the forbidden ids are not ascending, or outside the vocabulary", graph.file.where + ": metadata");
    }
  }
}

// Moves the activation of a product into the quantization of its output where one op alone reads that, e.g. GELU
// between the two products of a feed-forward layer: in long rows more of its chains run side by side than in a
// product's tile (modelled on Cortex-A72: 3.4 instead of 5.1 cycles a value), and the quantizer reads the row anyway.
void move_activations(Graph& graph) {
  std::vector<std::size_t> readers(graph.values.size(), 0);
  std::vector<ops::Op*> makers(graph.values.size(), nullptr);
  for (const int kept : {graph.embedding, graph.logits}) {
    if (kept >= 0) ++readers[static_cast<std::size_t>(kept)];
  }
  for (const auto& op : graph.ops) {
    for (const uint32_t input : op->inputs) ++readers[input];
    makers[op->output] = op.get();
  }
  for (const auto& op : graph.ops) {
    if (op->inputs.empty() || op->wants(0) == fb::InputQuant::None || readers[op->inputs[0]] != 1) continue;
    ops::Op& maker = *makers[op->inputs[0]];
    const kernels::Activation activation = maker.may_leave();
    if (activation == kernels::Activation::None) continue;
    maker.leave_activation();
    op->take_activation(activation);
  }
}

}  // namespace

std::unique_ptr<const Graph> build(format::File file, int threads, uint64_t work_a_thread) {
  auto graph = std::make_unique<Graph>();
  graph->file = std::move(file);
  const fb::Model& model = *graph->file.model;
  graph->max_tokens = model.metadata()->max_tokens();
  graph->values = read_values(graph->file);
  check_order(graph->file);
  for (const fb::Op* op : *model.ops()) {
    graph->ops.push_back(ops::make(ops::Load(graph->file, graph->values, *op)));
    if (const auto* table = op->body_as_Embedding(); table != nullptr) {
      const uint32_t rows = graph->file.tensors[static_cast<std::size_t>(table->word_t())].shape[0];
      const uint32_t types =
          table->type_t() == -1 ? 1 : graph->file.tensors[static_cast<std::size_t>(table->type_t())].shape[0];
      graph->types = graph->vocabulary == 0 ? types : std::min(graph->types, types);
      graph->vocabulary = graph->vocabulary == 0 ? rows : std::min(graph->vocabulary, rows);
    }
  }
  graph->vocabulary = std::min(graph->vocabulary, uint32_t{INT32_MAX});
  check_results(*graph);
  check_score(*graph);
  check_forbidden(*graph);
  move_activations(*graph);
  graph->tokenizer = read_tokenizer(graph->file, graph->vocabulary);
  graph->kernels = &kernels::active();
  const std::size_t tokens = std::max<std::size_t>(kChunkTokens, graph->max_tokens);
  graph->sizes = {tokens, tokens, graph->max_tokens, threads};
  graph->work_a_thread = work_a_thread;
  const int kept[] = {graph->embedding, graph->logits};
  graph->plan = plan(graph->values, graph->ops, kept, graph->sizes);
  return graph;
}

}  // namespace potstill::graph
