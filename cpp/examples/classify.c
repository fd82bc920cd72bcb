/* Label and logits of each text: classify-c MODEL.still TEXT... */
#include <potstill/potstill.h>
#include <stdio.h>

int main(int count, char** arguments) {
  potstill_error error;
  float logits[64];
  if (count < 3) {
    fprintf(stderr, "usage: classify-c MODEL.still TEXT...\n");
    return 2;
  }
  potstill_model* model = potstill_load(arguments[1], 0, &error);
  for (int text = 2; model != NULL && text < count; ++text) {
    int classes = potstill_logits(model, arguments[text], 0, logits, 64, &error);
    if (classes < 1) break;
    int best = 0;
    for (int i = 1; i < classes; ++i) best = logits[i] > logits[best] ? i : best;
    const char* label = potstill_label(model, (size_t)best);
    printf("%s", label != NULL ? label : "?");
    for (int i = 0; i < classes; ++i) printf("\t%.9g", (double)logits[i]);
    printf("\n");
  }
  potstill_free(model);
  if (error.code[0] != '\0') {
    fprintf(stderr, "%s\n", error.line); /* "error[CODE]: what; where; next step" */
    return 1;
  }
  return 0;
}
