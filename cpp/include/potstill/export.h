// Symbols are hidden unless marked.
#pragma once

#define POTSTILL_API __attribute__((visibility("default")))
