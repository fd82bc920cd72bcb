#include "graph/graph.h"

#include <algorithm>
#include <utility>

#include "format/fail.h"
#include "heads/head.h"
#include "kernels/select.h"
#include "tokenizer/load.h"

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

void read_input(Graph& graph) {
  const auto* input = graph.file.model->input_as_TokenIds();
  if (input == nullptr) {
    fail("F070", "the model reads something else than token ids", graph.file.where + ": input", format::kUpdate);
  }
  graph.max_tokens = input->max_tokens();
  if (graph.max_tokens < 3 || graph.max_tokens > format::kMaxTokens) {
    fail("F036",
         "max_tokens is " + std::to_string(graph.max_tokens) + ", not in [3, " + std::to_string(format::kMaxTokens) +
             "]",
         graph.file.where + ": input");
  }
  if (input->forbidden_ids() != nullptr) {
    graph.forbidden = {input->forbidden_ids()->data(), input->forbidden_ids()->size()};
  }
}

void check_forbidden(const Graph& graph) {
  for (std::size_t i = 0; i < graph.forbidden.size(); ++i) {
    if (graph.forbidden[i] >= graph.vocabulary || (i > 0 && graph.forbidden[i] <= graph.forbidden[i - 1])) {
      fail("F064", "the forbidden ids are not ascending, or outside the vocabulary", graph.file.where + ": input");
    }
  }
}

void check_head(const Graph& graph, const fb::Head& head, const heads::Kind* kind) {
  const auto fail = [&](const char* code, const std::string& what) {
    format::fail(code, what,
                 graph.file.where + ": head '" + format::printable({head.name()->c_str(), head.name()->size()}) + "'");
  };
  if (kind == nullptr || head.body() == nullptr) fail("F068", "its kind is unknown to this potstill");
  if (head.name()->size() == 0) fail("F071", "it has no name");
  for (const Graph::Head& other : graph.results) {
    if (other.header->name()->string_view() == head.name()->string_view()) fail("F071", "another head has its name");
  }
  if (head.value() >= graph.values.size()) fail("F038", "what it reads is not a value of the file");
  const ops::Shape value = graph.values[head.value()];
  const auto row = [](fb::Rows rows) { return rows == fb::Rows::Tokens ? "token" : "sequence"; };
  if (value.rows != kind->rows) {
    fail("F068", std::string("it reads one row a ") + row(value.rows) + ", its kind needs one a " + row(kind->rows));
  }
  if (const heads::Problem problem = kind->check(head, value.width); !problem.what.empty()) {
    fail(problem.code, problem.what);
  }
  const std::size_t labels = head.labels() == nullptr ? 0 : head.labels()->size();
  if (labels != 0 && !(kind->labelled && labels == value.width)) {
    fail("F037",
         std::to_string(labels) + " labels for " + std::to_string(kind->labelled ? value.width : 0) + " logits");
  }
  // Bounds that let a logit divided by the temperature stay finite; a NaN fits none.
  const float temperature = head.temperature(), threshold = head.threshold();
  if (!(temperature >= 1e-3f && temperature <= 1e3f) || !(threshold >= 0 && threshold <= 1)) {
    fail("F069", "its temperature is not in [0.001, 1000], or its threshold not in [0, 1]");
  }
}

void read_heads(Graph& graph) {
  graph.results.reserve(graph.file.model->heads()->size());
  for (const fb::Head* head : *graph.file.model->heads()) {
    const heads::Kind* kind = heads::kind_of(head->body_type());
    check_head(graph, *head, kind);
    graph.results.push_back({head, kind});
    const bool vector = kind->scores == nullptr;
    int& place = vector ? graph.embedding : graph.logits;
    if (place >= 0) {
      fail("F072", "two heads give vectors, or two give logits", graph.file.where + ": heads", format::kUpdate);
    }
    place = static_cast<int>(head->value());
    if (!vector) graph.numbers = graph.results.back();
  }
  if (graph.results.empty()) fail("F038", "the model has no head", graph.file.where);
  graph.per_token = graph.numbers.kind != nullptr && graph.numbers.kind->rows == fb::Rows::Tokens;
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
  read_input(*graph);
  graph->values = read_values(graph->file);
  check_order(graph->file);
  ops::Sums sums(graph->file.tensors.size(), -1);
  for (const fb::Op* op : *model.ops()) {
    graph->ops.push_back(ops::make(ops::Load(graph->file, graph->values, *op, sums)));
    if (const auto* table = op->body_as_Embedding(); table != nullptr) {
      const uint32_t rows = graph->file.tensors[static_cast<std::size_t>(table->word_t())].shape[0];
      const uint32_t types =
          table->type_t() == -1 ? 1 : graph->file.tensors[static_cast<std::size_t>(table->type_t())].shape[0];
      graph->types = graph->vocabulary == 0 ? types : std::min(graph->types, types);
      graph->vocabulary = graph->vocabulary == 0 ? rows : std::min(graph->vocabulary, rows);
    }
  }
  graph->vocabulary = std::min(graph->vocabulary, uint32_t{INT32_MAX});
  read_heads(*graph);
  check_forbidden(*graph);
  move_activations(*graph);
  graph->tokenizer = tokenizer::load(graph->file, graph->vocabulary, graph->types);
  graph->kernels = &kernels::active();
  const std::size_t tokens = std::max<std::size_t>(kChunkTokens, graph->max_tokens);
  graph->sizes = {tokens, tokens, graph->max_tokens, threads};
  graph->work_a_thread = work_a_thread;
  // Placing compares every two of at most four buffers an op: its value, two forms and its scratch.
  const uint64_t buffers = 4 * graph->ops.size();
  graph->file.budget.step(buffers * buffers / 2, graph->file.where);
  const int kept[] = {graph->embedding, graph->logits};
  graph->plan = plan(graph->values, graph->ops, kept, graph->sizes);
  return graph;
}

}  // namespace potstill::graph
