// A vector a text.
#include "heads/head.h"

namespace potstill::heads {
namespace {

Problem check(const fb::Head&, std::size_t) { return {}; }

}  // namespace

const Kind kVector{fb::HeadBody::Vector, "vector", fb::Rows::Sequences, false, check, nullptr};

}  // namespace potstill::heads
