// One vector a sequence: the mean of its tokens, or its first token ([CLS]).
#include <algorithm>

#include "ops/op.h"

namespace potstill::ops {
namespace {

struct Pool : Op {
  void run(const Run& run) const override {
    const float* x = run.values[inputs[0]];
    float* y = run.values[output];
    run.team.for_ranges(run.offsets.size() - 1, run.ids.size() * width, [&](std::size_t begin, std::size_t end) {
      for (std::size_t s = begin; s < end; ++s) {
        const std::size_t first = run.offsets[s], tokens = run.offsets[s + 1] - first;
        if (mean) {
          run.kernels.mean_pool({x + first * width, width, tokens, width, y + s * width});
        } else {
          std::copy_n(x + first * width, width, y + s * width);
        }
      }
    });
  }

  const char* kind() const override { return "Pool"; }

  Cost cost(std::span<const uint32_t> offsets) const override {
    const uint64_t sequences = offsets.size() - 1;
    return {.bytes = (mean ? offsets.back() + sequences : 2 * sequences) * width * 4};
  }

  bool mean = true;
  std::size_t width = 0;
};

}  // namespace

std::unique_ptr<Op> make_pool(const Load& load) {
  load.expect_inputs(1, 1);
  load.expect_rows(load.input(0), fb::Rows::Tokens, "input");
  load.expect_rows(load.output(), fb::Rows::Sequences, "output");
  load.expect_width(load.output().width, load.input(0).width, "output");
  const fb::PoolKind kind = load.op().body_as_Pool()->kind();
  if (kind > fb::PoolKind::Cls) load.fail("F031", "its pooling kind is unknown");
  auto op = std::make_unique<Pool>();
  op->mean = kind == fb::PoolKind::Mean;
  op->width = load.input(0).width;
  return op;
}

}  // namespace potstill::ops
