#include "heads/head.h"

namespace potstill::heads {
namespace {

constexpr const Kind* kKinds[] = {&kClasses, &kMultiLabel, &kTags, &kVector, &kScore};

}  // namespace

const Kind* kind_of(fb::HeadBody body) noexcept {
  for (const Kind* kind : kKinds) {
    if (kind->body == body) return kind;
  }
  return nullptr;
}

}  // namespace potstill::heads
