// Any number of labels a text: the sigmoid of each logit by itself.
#include "heads/head.h"
#include "heads/probability.h"

namespace potstill::heads {
namespace {

Problem check(const fb::Head&, std::size_t) { return {}; }

void scores(const fb::Head& head, std::span<const float> row, std::span<double> out) {
  for (std::size_t i = 0; i < row.size(); ++i) out[i] = sigmoid(row[i] / double{head.temperature()});
}

}  // namespace

const Kind kMultiLabel{fb::HeadBody::MultiLabel, "multi-label", fb::Rows::Sequences, true, check, scores};

}  // namespace potstill::heads
