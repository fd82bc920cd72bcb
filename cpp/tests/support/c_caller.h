/* A user of the C API in C99, compiled as such: the header must be C. */
#ifndef POTSTILL_TESTS_C_CALLER_H_
#define POTSTILL_TESTS_C_CALLER_H_

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

int c_caller_version(void);

/* 0 and the label and largest logit of a text; 1 and the error's code in `label`. */
int c_caller_classify(const char* path, const char* text, char* label, size_t size, float* logit);

#ifdef __cplusplus
}
#endif

#endif
