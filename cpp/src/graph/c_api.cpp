// The C API over potstill::Model: no exception leaves it.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>

#include "potstill/model.hpp"
#include "potstill/potstill.h"

struct potstill_model {
  potstill::Model model;
};

namespace {

void report(potstill_error* error, const char* code, const char* line) {
  if (error == nullptr) return;
  std::snprintf(error->code, sizeof error->code, "%s", code);
  std::snprintf(error->line, sizeof error->line, "%s", line);
}

// `body`'s value, or `failed` with `error` filled in.
template <typename Result, typename Body>
Result guarded(potstill_error* error, Result failed, const Body& body) {
  try {
    report(error, "", "");
    return body();
  } catch (const potstill::Error& caught) {
    report(error, caught.code.c_str(), caught.what());
  } catch (const std::exception& caught) {
    report(
        error, "S004",
        (std::string("error[S004]: the system reported: ") + caught.what() + "; potstill; free some memory").c_str());
  }
  return failed;
}

int copy(const potstill::Matrix& matrix, const char* which, float* out, std::size_t capacity) {
  if (matrix.columns == 0) {
    throw potstill::Error(which[0] == 'l' ? "I008" : "I009", std::string("the model gives no ") + which, which,
                          "compile the model with it");
  }
  if (capacity < matrix.columns) {
    throw potstill::Error(
        "I010", "room for " + std::to_string(capacity) + " numbers, " + std::to_string(matrix.columns) + " are needed",
        which, "give a larger buffer");
  }
  std::copy_n(matrix.data.data(), matrix.columns, out);
  return static_cast<int>(matrix.columns);
}

}  // namespace

potstill_model* potstill_load(const char* path, int threads, potstill_error* error) {
  return guarded<potstill_model*>(error, nullptr,
                                  [&] { return new potstill_model{potstill::Model::load(path, threads)}; });
}

void potstill_free(potstill_model* model) { delete model; }

std::size_t potstill_label_count(const potstill_model* model) { return model->model.info().labels.size(); }

const char* potstill_label(const potstill_model* model, std::size_t index) {
  const auto& labels = model->model.info().labels;
  return index < labels.size() ? labels[index].c_str() : nullptr;
}

std::size_t potstill_embedding_size(const potstill_model* model) { return model->model.info().hidden; }

int potstill_logits(const potstill_model* model, const char* text, int truncate, float* out, std::size_t capacity,
                    potstill_error* error) {
  return guarded(error, -1, [&] {
    return copy(model->model.run(model->model.tokenize({text}, truncate != 0)).logits, "logits", out, capacity);
  });
}

int potstill_embed(const potstill_model* model, const char* text, int truncate, float* out, std::size_t capacity,
                   potstill_error* error) {
  return guarded(error, -1, [&] {
    return copy(model->model.run(model->model.tokenize({text}, truncate != 0)).embedding, "embedding", out, capacity);
  });
}

int potstill_logits_from_ids(const potstill_model* model, const int32_t* ids, std::size_t count, float* out,
                             std::size_t capacity, potstill_error* error) {
  return guarded(error, -1, [&] {
    const std::size_t offsets[] = {0, count};
    return copy(model->model.run({ids, count}, offsets).logits, "logits", out, capacity);
  });
}
