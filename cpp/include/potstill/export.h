/* Symbols are hidden unless marked. Read by C as well. */
#ifndef POTSTILL_EXPORT_H_
#define POTSTILL_EXPORT_H_

#define POTSTILL_API __attribute__((visibility("default")))

#endif /* POTSTILL_EXPORT_H_ */
