// Attention of every set against the reference, bit for bit, and of the reference against doubles.
#include "kernels/support.h"

namespace potstill::kernels::testing {
namespace {

class Attention : public EachSet {};

// Scratch of exactly the promised size, aligned to 64 bytes.
struct Scratch {
  Scratch(std::size_t tokens, std::size_t head_size) : memory(attention_scratch(tokens, head_size), NAN) {}
  float* data() { return memory.data(); }
  Guarded<float> memory;  // ends at a page; its size is a multiple of 16 floats
};

TEST_P(Attention, EqualsReference) {
  for (uint64_t seed = 0; seed < 150 && !HasFatalFailure(); ++seed) {
    Rng rng(seed);
    const std::size_t tokens = rng.from(1, 70), head_size = rng.one_in(3) ? 26 : rng.from(1, 66);
    const std::size_t ld = 3 * head_size + rng.below(3), ldo = head_size + rng.below(3);
    const bool odd = rng.one_in(5), wild = rng.one_in(5);
    const int exponent = static_cast<int>(rng.below(5)) - 1;
    Guarded<float> qkv((tokens - 1) * ld + 3 * head_size), a((tokens - 1) * ldo + head_size, 3.0f),
        b((tokens - 1) * ldo + head_size, 3.0f);
    for (float& v : qkv)
      v = odd && rng.one_in(99) ? rng.odd() : wild && rng.one_in(999) ? rng.wild() : rng.uniform(exponent);
    Scratch scratch_a(tokens, head_size), scratch_b(tokens, head_size);
    AttentionHead call{qkv.data(), qkv.data() + head_size, qkv.data() + 2 * head_size, ld, a.data(), ldo, tokens,
                       head_size,  scratch_a.data()};
    ASSERT_EQ(reinterpret_cast<uintptr_t>(scratch_b.data()) % 64, 0u);
    reference().attention_head(call);
    call.out = b.data();
    call.scratch = scratch_b.data();
    set().attention_head(call);
    expect_same(a, b, "tokens " + std::to_string(tokens) + " head " + std::to_string(head_size));
  }
}

TEST_P(Attention, AgainstDouble) {
  Rng rng(3);
  constexpr std::size_t tokens = 33, size = 26, ld = 3 * size;
  Guarded<float> qkv(tokens * ld), out(tokens * size);
  for (float& v : qkv) v = rng.uniform(0);
  Scratch scratch(tokens, size);
  set().attention_head(
      {qkv.data(), qkv.data() + size, qkv.data() + 2 * size, ld, out.data(), size, tokens, size, scratch.data()});
  for (std::size_t i = 0; i < tokens; ++i) {
    double p[tokens], sum = 0;
    for (std::size_t j = 0; j < tokens; ++j) {
      double s = 0;
      for (std::size_t c = 0; c < size; ++c) s += double{qkv[i * ld + c]} * double{qkv[j * ld + size + c]};
      sum += p[j] = std::exp(s);
    }
    for (std::size_t c = 0; c < size; ++c) {
      double y = 0;
      for (std::size_t j = 0; j < tokens; ++j) y += p[j] / sum * double{qkv[j * ld + 2 * size + c]};
      EXPECT_NEAR(out[i * size + c], y, 1e-6);
    }
  }
}

// A sequence's result must not depend on what lies in the scratch from the one before.
TEST_P(Attention, ScratchContentsDoNotMatter) {
  Rng rng(5);
  constexpr std::size_t tokens = 19, size = 26, ld = 3 * size;
  Guarded<float> qkv(tokens * ld), a(tokens * size), b(tokens * size);
  for (float& v : qkv) v = rng.uniform(1);
  Scratch scratch(tokens, size);
  AttentionHead call{qkv.data(), qkv.data() + size, qkv.data() + 2 * size, ld, a.data(), size, tokens,
                     size,       scratch.data()};
  set().attention_head(call);
  for (float& v : scratch.memory) v = INFINITY;
  call.out = b.data();
  set().attention_head(call);
  expect_same(a, b, "second run");
}

POTSTILL_FOR_EACH_SET(Attention);

}  // namespace
}  // namespace potstill::kernels::testing
