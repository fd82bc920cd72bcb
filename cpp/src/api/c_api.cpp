// The C API over potstill::Model: no exception leaves it.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "potstill/model.hpp"
#include "potstill/potstill.h"

struct potstill_model {
  potstill::Model model;
};

namespace {

void report(potstill_error* error, const char* code, const char* line) noexcept {
  if (error == nullptr) return;
  std::snprintf(error->code, sizeof error->code, "%s", code);
  std::snprintf(error->line, sizeof error->line, "%s", line);
}

// `body`'s value, or `failed` with `error` filled in. What the system throws (out of memory, no thread) is S004;
// nothing here allocates then.
template <typename Result, typename Body>
Result guarded(potstill_error* error, Result failed, const Body& body) {
  report(error, "", "");
  try {
    return body();
  } catch (const potstill::Error& caught) {
    report(error, caught.code.c_str(), caught.what());
  } catch (const std::exception& caught) {
    char line[sizeof error->line];
    std::snprintf(line, sizeof line, "error[S004]: the system reported: %s; potstill; free some memory", caught.what());
    report(error, "S004", line);
  }
  return failed;
}

void need(const void* pointer, const char* name) {
  if (pointer == nullptr) throw potstill::Error("I012", "a null pointer", name, "give what potstill.h describes");
}

template <typename Number>
int copy(std::span<const Number> from, const char* which, Number* out, std::size_t capacity) {
  if (capacity < from.size()) {
    throw potstill::Error(
        "I019", "room for " + std::to_string(capacity) + " numbers, " + std::to_string(from.size()) + " are needed",
        which, "give a larger buffer");
  }
  need(out, which);
  std::copy(from.begin(), from.end(), out);
  return static_cast<int>(from.size());
}

enum class Result { Logits, Embedding };

int run(const potstill::Model& model, std::span<const int32_t> ids, Result wanted, float* out, std::size_t capacity,
        std::span<const int32_t> types = {}) {
  const std::size_t offsets[] = {0, ids.size()};
  const potstill::Output output = model.run(ids, offsets, types);
  const bool logits = wanted == Result::Logits;
  const potstill::Matrix& matrix = logits ? output.logits : output.embedding;
  const char* which = logits ? "logits" : "embedding";
  if (matrix.columns == 0) {
    throw potstill::Error(logits ? "I008" : "I009", std::string("the model gives no ") + which, which,
                          "compile the model with it");
  }
  return copy(std::span<const float>(matrix.data), which, out, capacity);
}

potstill_model* load(const char* path, int threads, bool mapped) {
  need(path, "path");
  return new potstill_model{potstill::Model::load(path, threads, mapped)};
}

int score(const potstill::Model& model, const potstill::Tokens& tokens, double* out) {
  need(out, "score");
  if (model.info().score == potstill::Score::None) {
    throw potstill::Error("I105", "the model has labels, not one score", "score", "take its logits");
  }
  *out = model.scores(model.run(std::span(&tokens, 1)).logits).front();
  return 1;
}

potstill::Tokens pair_of(const potstill_model* model, const char* first, const char* second, int truncate) {
  need(model, "model");
  need(first, "first");
  need(second, "second");
  const std::pair<std::string_view, std::string_view> pair(first, second);
  return std::move(model->model.tokenize_pairs(std::span(&pair, 1), truncate != 0).front());
}

std::vector<int32_t> ids_of(const potstill_model* model, const char* text, int truncate) {
  need(model, "model");
  need(text, "text");
  return std::move(model->model.tokenize({text}, truncate != 0).front());
}

}  // namespace

const char* potstill_version(void) { return POTSTILL_VERSION; }

potstill_model* potstill_load(const char* path, int threads, potstill_error* error) {
  return guarded<potstill_model*>(error, nullptr, [&] { return load(path, threads, false); });
}

potstill_model* potstill_load_mapped(const char* path, int threads, potstill_error* error) {
  return guarded<potstill_model*>(error, nullptr, [&] { return load(path, threads, true); });
}

potstill_model* potstill_load_memory(const void* bytes, std::size_t size, int threads, potstill_error* error) {
  return guarded<potstill_model*>(error, nullptr, [&] {
    need(bytes, "bytes");
    const std::span data(static_cast<const std::byte*>(bytes), size);
    return new potstill_model{potstill::Model::from_memory(data, threads)};
  });
}

void potstill_free(potstill_model* model) { delete model; }

std::size_t potstill_logits_size(const potstill_model* model) { return model->model.info().logits; }

std::size_t potstill_embedding_size(const potstill_model* model) { return model->model.info().hidden; }

std::size_t potstill_label_count(const potstill_model* model) { return model->model.info().labels.size(); }

const char* potstill_label(const potstill_model* model, std::size_t index) {
  const auto& labels = model->model.info().labels;
  return index < labels.size() ? labels[index].c_str() : nullptr;
}

int potstill_multi_label(const potstill_model* model) { return model->model.info().multi_label ? 1 : 0; }

int potstill_per_token(const potstill_model* model) { return model->model.info().per_token ? 1 : 0; }

int potstill_normalized(const potstill_model* model) { return model->model.info().normalized ? 1 : 0; }

std::size_t potstill_max_tokens(const potstill_model* model) { return model->model.info().max_tokens; }

const char* potstill_kernel_set(const potstill_model* model) { return model->model.info().isa.c_str(); }

int potstill_logits(const potstill_model* model, const char* text, int truncate, float* out, std::size_t capacity,
                    potstill_error* error) {
  return guarded(error, -1, [&] {
    const std::vector<int32_t> ids = ids_of(model, text, truncate);
    return run(model->model, ids, Result::Logits, out, capacity);
  });
}

int potstill_embed(const potstill_model* model, const char* text, int truncate, float* out, std::size_t capacity,
                   potstill_error* error) {
  return guarded(error, -1, [&] {
    const std::vector<int32_t> ids = ids_of(model, text, truncate);
    return run(model->model, ids, Result::Embedding, out, capacity);
  });
}

int potstill_pairs(const potstill_model* model) { return model->model.info().pairs ? 1 : 0; }

int potstill_logits_pair(const potstill_model* model, const char* first, const char* second, int truncate, float* out,
                         std::size_t capacity, potstill_error* error) {
  return guarded(error, -1, [&] {
    const potstill::Tokens tokens = pair_of(model, first, second, truncate);
    return run(model->model, tokens.ids, Result::Logits, out, capacity, tokens.types);
  });
}

int potstill_score_kind(const potstill_model* model) { return static_cast<int>(model->model.info().score); }

int potstill_score(const potstill_model* model, const char* text, int truncate, double* out, potstill_error* error) {
  return guarded(error, -1, [&] {
    potstill::Tokens tokens{ids_of(model, text, truncate), {}};
    tokens.types.resize(tokens.ids.size());
    return score(model->model, tokens, out);
  });
}

int potstill_score_pair(const potstill_model* model, const char* first, const char* second, int truncate, double* out,
                        potstill_error* error) {
  return guarded(error, -1, [&] { return score(model->model, pair_of(model, first, second, truncate), out); });
}

int potstill_offsets(const potstill_model* model, const char* text, int truncate, int32_t* offsets,
                     std::size_t capacity, potstill_error* error) {
  return guarded(error, -1, [&] {
    need(model, "model");
    need(text, "text");
    const std::string_view given = text;
    std::vector<int32_t> found;
    const auto all = model->model.offsets(std::span(&given, 1), truncate != 0);
    for (const potstill::Offset& offset : all.front()) {
      found.push_back(static_cast<int32_t>(offset.begin));
      found.push_back(static_cast<int32_t>(offset.end));
    }
    return copy(std::span<const int32_t>(found), "offsets", offsets, capacity);
  });
}

int potstill_tag(const potstill_model* model, const char* text, int truncate, potstill_word* out, std::size_t capacity,
                 potstill_error* error) {
  return guarded(error, -1, [&] {
    need(model, "model");
    need(text, "text");
    std::vector<potstill_word> words;
    for (const potstill::TaggedWord& word : model->model.tag(text, truncate != 0)) {
      words.push_back({word.begin, word.end, word.label, word.score});
    }
    return copy(std::span<const potstill_word>(words), "words", out, capacity);
  });
}

int potstill_tokenize(const potstill_model* model, const char* text, int truncate, int32_t* ids, std::size_t capacity,
                      potstill_error* error) {
  return guarded(error, -1, [&] {
    const std::vector<int32_t> found = ids_of(model, text, truncate);
    return copy(std::span<const int32_t>(found), "ids", ids, capacity);
  });
}

int potstill_logits_from_ids(const potstill_model* model, const int32_t* ids, std::size_t count, float* out,
                             std::size_t capacity, potstill_error* error) {
  return guarded(error, -1, [&] {
    need(model, "model");
    need(ids, "ids");
    return run(model->model, {ids, count}, Result::Logits, out, capacity);
  });
}

int potstill_embed_from_ids(const potstill_model* model, const int32_t* ids, std::size_t count, float* out,
                            std::size_t capacity, potstill_error* error) {
  return guarded(error, -1, [&] {
    need(model, "model");
    need(ids, "ids");
    return run(model->model, {ids, count}, Result::Embedding, out, capacity);
  });
}
