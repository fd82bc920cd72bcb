// Each vector of a text divided by its Euclidean length; in place when the input is not needed.
#include <cmath>

#include "ops/op.h"

namespace potstill::ops {
namespace {

struct Normalize : Op {
  int in_place() const override { return 0; }

  void run(const Run& run) const override {
    const float* x = run.values[inputs[0]];
    float* y = run.values[output];
    const std::size_t rows = run.rows(fb::Rows::Sequences);
    run.team.for_ranges(rows, rows * width, [&](std::size_t begin, std::size_t end) {
      for (std::size_t s = begin; s < end; ++s) {
        run.kernels.l2_normalize({x + s * width, y + s * width, width, eps});
      }
    });
  }

  const char* kind() const override { return "Normalize"; }

  Cost cost(std::span<const uint32_t> offsets) const override {
    return {.bytes = uint64_t{offsets.size() - 1} * width * 8};
  }

  std::size_t width = 0;
  float eps = 0;
};

}  // namespace

std::unique_ptr<Op> make_normalize(const Load& load) {
  load.expect_inputs(1, 1);
  load.expect_rows(load.input(0), fb::Rows::Sequences, "input");
  load.expect_rows(load.output(), fb::Rows::Sequences, "output");
  load.expect_width(load.output().width, load.input(0).width, "output");
  auto op = std::make_unique<Normalize>();
  op->width = load.input(0).width;
  op->eps = load.op().body_as_Normalize()->eps();
  // The length of a row of zeros is 0: eps must keep the quotient finite, and stay a normal float.
  if (!std::isfinite(op->eps) || op->eps < 1e-30f || op->eps > 1.0f) load.fail("F033", "eps is not in [1e-30, 1]");
  return op;
}

}  // namespace potstill::ops
