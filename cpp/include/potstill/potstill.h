/* The C API: what classifies text on a board, from C99, C++ and every language that can call C.
 *
 *   potstill_error error;
 *   potstill_model* model = potstill_load("model.still", 0, &error);
 *   if (model == NULL) { fprintf(stderr, "%s\n", error.line); return 1; }
 *   float logits[8];
 *   if (potstill_logits(model, "turn the light on", 0, logits, 8, &error) < 0) ...
 *   potstill_free(model);
 *
 * Threads: a model may be used from several threads at once; only potstill_free() must be alone.
 * Failures: nothing is printed, nothing aborts, no C++ exception comes out. A function that can fail takes a
 * potstill_error, which may be NULL, and sets it: on success to empty strings.
 * Texts are UTF-8 and end with a zero byte; strings given back are owned by the model, and end with it.
 *
 * Promise: while the library's name is libpotstill.so.0, functions are only added, and neither their arguments, nor
 * potstill_error, nor the meaning of a code change. A program runs with this version of the library and later ones.
 * The C++ API (model.hpp) is stable as source only: rebuild programs that use it. */
#ifndef POTSTILL_POTSTILL_H_
#define POTSTILL_POTSTILL_H_

#include <stddef.h>
#include <stdint.h>

#include "potstill/export.h"

/* Of the header; potstill_version() tells that of the library that runs. */
#define POTSTILL_VERSION_MAJOR 0
#define POTSTILL_VERSION_MINOR 1
#define POTSTILL_VERSION_PATCH 0
#define POTSTILL_VERSION_NUMBER \
  (POTSTILL_VERSION_MAJOR * 10000 + POTSTILL_VERSION_MINOR * 100 + POTSTILL_VERSION_PATCH) /* 0.1.0: 100 */

#ifdef __cplusplus
extern "C" {
#endif

/* "0.1.0" */
POTSTILL_API const char* potstill_version(void);

typedef struct potstill_model potstill_model;

typedef struct potstill_error {
  char code[8];    /* "F020" */
  char line[1024]; /* "error[CODE]: what; where; next step", cut to fit */
} potstill_error;

/* Reads a file into memory of its own: what happens to the file afterwards changes nothing. threads 0:
 * POTSTILL_NUM_THREADS, else all CPUs this process may use. NULL on failure. */
POTSTILL_API potstill_model* potstill_load(const char* path, int threads, potstill_error* error);

/* The same from the file where it is, which takes less memory and is shared by processes. For files that nobody changes
 * in place: one that is cut short ends the process, one that is overwritten changes answers. Replacing it by rename is
 * fine. */
POTSTILL_API potstill_model* potstill_load_mapped(const char* path, int threads, potstill_error* error);

/* The same from a copy of `size` bytes. */
POTSTILL_API potstill_model* potstill_load_memory(const void* bytes, size_t size, int threads, potstill_error* error);

/* NULL is allowed. */
POTSTILL_API void potstill_free(potstill_model* model);

/* Columns of the logits, one a class (0: no classification head), and of an embedding (0: none). */
POTSTILL_API size_t potstill_logits_size(const potstill_model* model);
POTSTILL_API size_t potstill_embedding_size(const potstill_model* model);

/* Number of class names, potstill_logits_size() or 0, and the name of one; NULL if there is none. */
POTSTILL_API size_t potstill_label_count(const potstill_model* model);
POTSTILL_API const char* potstill_label(const potstill_model* model, size_t index);

/* 1 if a text may have several labels or none: a label's score is then the sigmoid of its logit, and it is given from
 * 0.5 on (a logit of 0). 0 if it has exactly one: scores are the softmax of the logits. */
POTSTILL_API int potstill_multi_label(const potstill_model* model);

/* 1 if the model labels tokens: logits then have potstill_logits_size() numbers for each token id in turn, specials
 * included. 0 if it labels whole texts. */
POTSTILL_API int potstill_per_token(const potstill_model* model);

/* A word of a text, text[begin .. end) in bytes, with the index of its label and the probability of it. */
typedef struct potstill_word {
  size_t begin;
  size_t end;
  size_t label;
  double score;
} potstill_word;

/* The words of one text with their labels, of a model that labels tokens, into out[0 .. capacity): words as
 * Model::tag() of model.hpp finds them. Returns how many were written, or -1 on failure (I019: capacity is too small;
 * I018: potstill_per_token() is 0; I130: its words are found by no rule). truncate != 0 answers the words that fit into
 * potstill_max_tokens(). */
POTSTILL_API int potstill_tag(const potstill_model* model, const char* text, int truncate, potstill_word* out,
                              size_t capacity, potstill_error* error);

/* Longest sequence in tokens, specials included. */
POTSTILL_API size_t potstill_max_tokens(const potstill_model* model);

/* Kernel set in use, as potstill-run --system names it: "reference", "neon"; later versions may add names. */
POTSTILL_API const char* potstill_kernel_set(const potstill_model* model);

/* Logits of one text into out[0 .. capacity). Returns how many were written, or -1 on failure (also when capacity is
 * too small: I019). truncate != 0 cuts a long text to potstill_max_tokens(). */
POTSTILL_API int potstill_logits(const potstill_model* model, const char* text, int truncate, float* out,
                                 size_t capacity, potstill_error* error);

/* The pooled vector of one text, in the same way. */
POTSTILL_API int potstill_embed(const potstill_model* model, const char* text, int truncate, float* out,
                                size_t capacity, potstill_error* error);

/* 1 if pooled vectors have the length 1, so that their dot product is their cosine; else 0. */
POTSTILL_API int potstill_normalized(const potstill_model* model);

/* 1 if the model was trained on pairs of texts and tells the second from the first, else 0. */
POTSTILL_API int potstill_pairs(const potstill_model* model);

/* Logits of a pair of texts, in the same way (I014: potstill_pairs() is 0). truncate != 0 cuts the longer text until
 * both fit. */
POTSTILL_API int potstill_logits_pair(const potstill_model* model, const char* first, const char* second, int truncate,
                                      float* out, size_t capacity, potstill_error* error);

/* How the one number of a model that scores (regression, reranker) is given: 1 as it is, 2 as its sigmoid; 0 for a
 * model of classes. */
POTSTILL_API int potstill_score_kind(const potstill_model* model);

/* The score of one text, or of a pair of texts, into *score, the sigmoid computed in double. Returns 1, or -1 on
 * failure (I105: potstill_score_kind() is 0). truncate as above. */
POTSTILL_API int potstill_score(const potstill_model* model, const char* text, int truncate, double* score,
                                potstill_error* error);
POTSTILL_API int potstill_score_pair(const potstill_model* model, const char* first, const char* second, int truncate,
                                     double* score, potstill_error* error);

/* The token ids of one text, specials included, in the same way. */
POTSTILL_API int potstill_tokenize(const potstill_model* model, const char* text, int truncate, int32_t* ids,
                                   size_t capacity, potstill_error* error);

/* Where the ids of potstill_tokenize() stand in the text: the first character (Unicode code point) of each and the one
 * behind its last, in turn; 0 and 0 of special tokens. Returns 2 numbers an id in the same way. */
POTSTILL_API int potstill_offsets(const potstill_model* model, const char* text, int truncate, int32_t* offsets,
                                  size_t capacity, potstill_error* error);

/* Logits, or the pooled vector, of one sequence of `count` token ids, specials included. */
POTSTILL_API int potstill_logits_from_ids(const potstill_model* model, const int32_t* ids, size_t count, float* out,
                                          size_t capacity, potstill_error* error);
POTSTILL_API int potstill_embed_from_ids(const potstill_model* model, const int32_t* ids, size_t count, float* out,
                                         size_t capacity, potstill_error* error);

#ifdef __cplusplus
}
#endif

#endif /* POTSTILL_POTSTILL_H_ */
