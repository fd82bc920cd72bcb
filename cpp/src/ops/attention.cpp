// Self-attention inside each sequence: [tokens, 3H] (q | k | v, scale folded in) to [tokens, H].
#include <algorithm>

#include "ops/op.h"

namespace potstill::ops {
namespace {

struct Attention : Op {
  uint64_t scratch_bytes(const Sizes& sizes) const override {
    return static_cast<uint64_t>(sizes.threads) * per_thread(sizes.max_tokens) * sizeof(float);
  }

  void run(const Run& run) const override {
    const std::size_t sequences = run.offsets.size() - 1, width = heads * head_size;
    std::size_t longest = 0;
    for (std::size_t s = 0; s < sequences; ++s) {
      longest = std::max<std::size_t>(longest, run.offsets[s + 1] - run.offsets[s]);
    }
    const auto stride = static_cast<std::size_t>(per_thread(longest));
    auto* scratch = reinterpret_cast<float*>(run.scratch);
    const float* x = run.values[inputs[0]];
    float* y = run.values[output];
    const auto one = [&](std::size_t task, int thread) {
      const std::size_t s = task / heads, column = task % heads * head_size, first = run.offsets[s];
      const float* q = x + first * 3 * width + column;
      run.kernels.attention_head({q, q + width, q + 2 * width, 3 * width, y + first * width + column, width,
                                  run.offsets[s + 1] - first, head_size,
                                  scratch + static_cast<std::size_t>(thread) * stride});
    };
    run.team.for_tasks(sequences * heads, one);
  }

  const char* kind() const override { return "Attention"; }
  Facts facts() const override { return {.heads = heads}; }

  Cost cost(std::span<const uint32_t> offsets) const override {
    const uint64_t width = heads * head_size;
    Cost cost{.bytes = offsets.back() * 4 * width * 4};
    for (std::size_t s = 0; s + 1 < offsets.size(); ++s) {
      const uint64_t tokens = offsets[s + 1] - offsets[s];
      cost.macs += 2 * tokens * tokens * width;
    }
    return cost;
  }

  // In 64 bits: a hostile file's product of sizes must not wrap on a 32-bit machine.
  uint64_t per_thread(uint64_t tokens) const {
    return kernels::round_up(kernels::attention_scratch(tokens, head_size), 16);
  }

  std::size_t heads = 0;
  std::size_t head_size = 0;
};

}  // namespace

std::unique_ptr<Op> make_attention(const Load& load) {
  const uint32_t heads = load.op().body_as_Attention()->heads();
  load.expect_inputs(1, 1);
  load.expect_rows(load.input(0), fb::Rows::Tokens, "input");
  load.expect_rows(load.output(), fb::Rows::Tokens, "output");
  const uint32_t width = load.output().width;
  load.expect_width(load.input(0).width, uint64_t{3} * width, "input");
  if (heads == 0 || width % heads != 0) {
    load.fail("F032", std::to_string(heads) + " heads don't divide a width of " + std::to_string(width));
  }
  auto op = std::make_unique<Attention>();
  op->heads = heads;
  op->head_size = width / heads;
  return op;
}

}  // namespace potstill::ops
