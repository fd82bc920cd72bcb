/* Labels texts with a compiled model: classify_c MODEL.still TEXT... */
#include <stdio.h>
#include <stdlib.h>

#include "potstill/potstill.h"

int main(int count, char** words) {
  potstill_error error;
  if (count < 3) {
    fputs("usage: classify_c MODEL.still TEXT...\n", stderr);
    return 2;
  }
  potstill_model* model = potstill_load(words[1], 0, &error);
  if (model == NULL) {
    fprintf(stderr, "%s\n", error.line);
    return 1;
  }
  const size_t labels = potstill_label_count(model);
  float* logits = malloc(labels * sizeof *logits);
  int status = logits == NULL;
  for (int i = 2; i < count && status == 0; ++i) {
    if (potstill_logits(model, words[i], 0, logits, labels, &error) < 0) {
      fprintf(stderr, "%s\n", error.line);
      status = 1;
      break;
    }
    size_t best = 0;
    for (size_t label = 1; label < labels; ++label) {
      if (logits[label] > logits[best]) best = label;
    }
    printf("%s\t%.6f\t%s\n", potstill_label(model, best), (double)logits[best], words[i]);
  }
  free(logits);
  potstill_free(model);
  return status;
}
