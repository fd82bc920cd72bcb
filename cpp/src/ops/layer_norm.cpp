// Layer normalization over the columns of each row; any rows, same shape out, in place when the input is not needed.
#include <cmath>

#include "ops/op.h"

namespace potstill::ops {
namespace {

struct LayerNorm : Op {
  int in_place() const override { return 0; }
  bool gives_symmetric() const override { return true; }

  void run(const Run& run) const override {
    const std::size_t rows = run.rows(of);
    const float* x = run.values[inputs[0]];
    float* y = run.values[output];
    const Quantized& form = run.forms[form_index(output, fb::InputQuant::Symmetric)];
    const bool quantize = form.memory != nullptr && form.maker == run.op;
    run.team.for_ranges(rows, rows * width, [&](std::size_t begin, std::size_t end) {
      kernels::LayerNorm norm{x + begin * width, width, gamma, beta, y + begin * width, width, end - begin, width, eps};
      if (quantize) {
        norm.q = form.q() + begin * form.ld;
        norm.ldq = form.ld;
        norm.q_scale = form.scale() + begin;
      }
      run.kernels.layer_norm(norm);
    });
  }

  const char* kind() const override { return "LayerNorm"; }

  Cost cost(std::span<const uint32_t> offsets) const override { return {.bytes = rows(of, offsets) * width * 8}; }

  const float* gamma = nullptr;
  const float* beta = nullptr;
  std::size_t width = 0;
  fb::Rows of = fb::Rows::Tokens;
  float eps = 0;
};

}  // namespace

std::unique_ptr<Op> make_layer_norm(const Load& load) {
  const fb::LayerNorm& body = *load.op().body_as_LayerNorm();
  load.expect_inputs(1, 1);
  auto op = std::make_unique<LayerNorm>();
  op->of = load.input(0).rows;
  op->width = load.input(0).width;
  load.expect_rows(load.output(), op->of, "output");
  load.expect_width(load.output().width, op->width, "output");
  op->gamma = load.tensor(body.gamma_t(), "gamma", fb::DType::F32, fb::Layout::RowMajor, {op->width}).as<float>();
  op->beta = load.tensor(body.beta_t(), "beta", fb::DType::F32, fb::Layout::RowMajor, {op->width}).as<float>();
  op->eps = body.eps();
  // The variance of a constant row is 0: eps must keep 1 / sqrt finite, and stay a normal float.
  if (!std::isfinite(op->eps) || op->eps < 1e-30f || op->eps > 1.0f) load.fail("F033", "eps is not in [1e-30, 1]");
  op->parameters = 2 * op->width;
  return op;
}

}  // namespace potstill::ops
