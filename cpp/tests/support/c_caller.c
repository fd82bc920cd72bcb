#include "support/c_caller.h"

#include <stdio.h>

#include "potstill/potstill.h"

int c_caller_version(void) { return POTSTILL_VERSION_NUMBER; }

int c_caller_classify(const char* path, const char* text, char* label, size_t size, float* logit) {
  potstill_error error;
  float logits[16];
  int count, best = 0, i;
  potstill_model* model = potstill_load(path, 1, &error);
  count = model == NULL ? -1 : potstill_logits(model, text, 0, logits, 16, &error);
  if (count < 1) {
    snprintf(label, size, "%s", error.code);
    potstill_free(model);
    return 1;
  }
  for (i = 1; i < count; ++i) best = logits[i] > logits[best] ? i : best;
  snprintf(label, size, "%s", potstill_label(model, (size_t)best));
  *logit = logits[best];
  potstill_free(model);
  return 0;
}
