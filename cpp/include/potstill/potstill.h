/* The C API: the smallest set of calls that classifies text on a board.
 *
 *   potstill_error error;
 *   potstill_model* model = potstill_load("model.still", 0, &error);
 *   if (model == NULL) { fprintf(stderr, "%s\n", error.line); return 1; }
 *   float logits[8];
 *   if (potstill_logits(model, "turn the light on", 0, logits, 8, &error) < 0) ...
 *   potstill_free(model);
 *
 * A model may be used from several threads at once. Nothing is printed and nothing aborts. */
#ifndef POTSTILL_POTSTILL_H_
#define POTSTILL_POTSTILL_H_

#include <stddef.h>
#include <stdint.h>

#include "potstill/export.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct potstill_model potstill_model;

typedef struct potstill_error {
  char code[8];    /* "F020" */
  char line[1024]; /* "error[CODE]: what; where; next step", cut to fit */
} potstill_error;

/* Loads a file; threads 0: POTSTILL_NUM_THREADS, else all CPUs this process may use. NULL on failure. `error` may be
 * NULL here and below. */
POTSTILL_API potstill_model* potstill_load(const char* path, int threads, potstill_error* error);
POTSTILL_API void potstill_free(potstill_model* model);

/* Number of classes (0: no classification head), and the UTF-8 name of one, owned by the model; NULL if there is none.
 */
POTSTILL_API size_t potstill_label_count(const potstill_model* model);
POTSTILL_API const char* potstill_label(const potstill_model* model, size_t index);

/* Columns of an embedding, 0: none. */
POTSTILL_API size_t potstill_embedding_size(const potstill_model* model);

/* Logits of one UTF-8 text into out[0 .. capacity). Returns how many were written, or -1 on failure (also when capacity
 * is too small: I010). truncate != 0 cuts a long text to the model's max_tokens. */
POTSTILL_API int potstill_logits(const potstill_model* model, const char* text, int truncate, float* out,
                                 size_t capacity, potstill_error* error);

/* The pooled vector of one text, in the same way. */
POTSTILL_API int potstill_embed(const potstill_model* model, const char* text, int truncate, float* out,
                                size_t capacity, potstill_error* error);

/* Logits of one sequence of `count` token ids, specials included. */
POTSTILL_API int potstill_logits_from_ids(const potstill_model* model, const int32_t* ids, size_t count, float* out,
                                          size_t capacity, potstill_error* error);

#ifdef __cplusplus
}
#endif

#endif /* POTSTILL_POTSTILL_H_ */
