// One number a text or pair: the logit as it is, or its sigmoid.
#include "heads/head.h"
#include "heads/probability.h"

namespace potstill::heads {
namespace {

Problem check(const fb::Head& head, std::size_t width) {
  const bool known = head.body_as_Score()->kind() <= fb::ScoreKind::Sigmoid;
  return width == 1 && known ? Problem{} : Problem{"F063", "a score of unknown kind, or of more than one number"};
}

void scores(const fb::Head& head, std::span<const float> row, std::span<double> out) {
  const double value = row[0] / double{head.temperature()};
  out[0] = head.body_as_Score()->kind() == fb::ScoreKind::Sigmoid ? sigmoid(value) : value;
}

}  // namespace

const Kind kScore{fb::HeadBody::Score, "score", fb::Rows::Sequences, false, check, scores};

}  // namespace potstill::heads
