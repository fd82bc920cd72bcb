// Attention of every set against the reference: every length up to 130 tokens, every head size up to 80, queries, keys,
// values, output and scratch each flush with a guard page on either side.
#include "kernels/operand.h"

namespace potstill::kernels::testing {
namespace {

class AttentionSweep : public EachSet {};

void check(const KernelTable& reference, const KernelTable& set, std::size_t tokens, std::size_t size, Flush flush,
           Rng& rng) {
  const std::size_t ld = size + rng.below(3), ldo = size + rng.below(3), span = (tokens - 1) * ld + size;
  Operand<float> q(flush, span), k(flush, span), v(flush, span);
  Operand<float> a(flush, (tokens - 1) * ldo + size, 3.0f), b(flush, (tokens - 1) * ldo + size, 3.0f);
  Operand<float> scratch_a(flush, attention_scratch(tokens, size), NAN),
      scratch_b(flush, attention_scratch(tokens, size), NAN);
  const int exponent = static_cast<int>(rng.below(4)) - 1;
  for (Operand<float>* part : {&q, &k, &v}) {
    for (float& x : *part) x = rng.one_in(400) ? rng.odd() : rng.uniform(exponent);
    part->seal();
  }
  reference.attention_head({q.data(), k.data(), v.data(), ld, a.data(), ldo, tokens, size, scratch_a.data()});
  set.attention_head({q.data(), k.data(), v.data(), ld, b.data(), ldo, tokens, size, scratch_b.data()});
  expect_same(a, b, "tokens " + std::to_string(tokens) + " head size " + std::to_string(size));
}

TEST_P(AttentionSweep, EveryLength) {
  Rng rng(51);
  for (std::size_t tokens = 1; tokens <= 130; ++tokens) {
    for (const Flush flush : kBothEnds) {
      check(reference(), set(), tokens, 1 + (7 * tokens + (flush == Flush::End ? 40 : 0)) % 80, flush, rng);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(AttentionSweep, EveryHeadSize) {
  Rng rng(52);
  for (std::size_t size = 1; size <= 80; ++size) {
    for (const std::size_t tokens : {1u, 3u, 16u, 17u, 33u}) {
      check(reference(), set(), tokens, size, kBothEnds[(size + tokens) % 2], rng);
      if (HasFatalFailure()) return;
    }
  }
}

POTSTILL_FOR_EACH_OTHER_SET(AttentionSweep);

}  // namespace
}  // namespace potstill::kernels::testing
