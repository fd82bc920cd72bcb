// One label a text: the softmax of its logits.
#include "heads/head.h"
#include "heads/probability.h"

namespace potstill::heads {
namespace {

Problem check(const fb::Head&, std::size_t width) {
  // A softmax over one logit is 1 for every text.
  return width < 2 ? Problem{"F068", "one label alone tells nothing"} : Problem{};
}

Problem check_tags(const fb::Head& head, std::size_t width) {
  const bool known = head.body_as_Tags()->units() <= fb::Units::Given;
  return known ? check(head, width) : Problem{"F068", "what it labels of a text is unknown to this potstill"};
}

void scores(const fb::Head& head, std::span<const float> row, std::span<double> out) {
  softmax(row, head.temperature(), out);
}

}  // namespace

const Kind kClasses{fb::HeadBody::Classes, "classes", fb::Rows::Sequences, true, check, scores};
// The same of every token.
const Kind kTags{fb::HeadBody::Tags, "tags", fb::Rows::Tokens, true, check_tags, scores};

}  // namespace potstill::heads
