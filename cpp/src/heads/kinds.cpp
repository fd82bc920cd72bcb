#include "heads/head.h"

namespace potstill::heads {
namespace {

constexpr const Kind* kKinds[] = {
#define POTSTILL_HEAD(table) &k##table,
#include "heads/kinds.def"
};

}  // namespace

const Kind* kind_of(fb::HeadBody body) noexcept {
  for (const Kind* kind : kKinds) {
    if (kind->body == body) return kind;
  }
  return nullptr;
}

}  // namespace potstill::heads
