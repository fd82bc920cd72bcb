// y = activation(x * w^T + bias) + residual, in f32 or with int8 or int4 weights and rows quantized on the fly.
#include <algorithm>

#include "ops/op.h"
#include "parallel/threads.h"

namespace potstill::ops {
namespace {

using kernels::round_up;

// Below this many multiply-adds (about 20 us on one Cortex-A72 in int8) a second thread costs more than it saves.
constexpr std::size_t kWorthThreads = std::size_t{1} << 18;

struct Linear : Op {
  int in_place() const override { return has_residual ? 1 : -1; }

  std::size_t scratch_bytes(const Sizes& sizes) const override {
    if (quant == fb::InputQuant::None) return 0;
    const std::size_t rows = kind == fb::Rows::Tokens ? sizes.tokens : sizes.sequences;
    return 2 * vector_bytes(rows) + rows * quantized_width();
  }

  void run(const Run& run) const override {
    const std::size_t rows = run.rows(kind);
    const float* x = run.values[inputs[0]];
    const float* residual = has_residual ? run.values[inputs[1]] : nullptr;
    float* y = run.values[output];
    if (quant == fb::InputQuant::None) {
      for_panels(run, rows, [&](std::size_t begin, std::size_t end) {
        run.kernels.gemm_f32(
            {x, k, static_cast<const float*>(weight), bias, residual, n, y, n, rows, n, k, begin, end, activation});
      });
      return;
    }
    auto* scale = reinterpret_cast<float*>(run.scratch);
    auto* zero = reinterpret_cast<int32_t*>(run.scratch + vector_bytes(rows));
    auto* q = reinterpret_cast<int8_t*>(run.scratch + 2 * vector_bytes(rows));
    const std::size_t ldq = quantized_width();
    const auto product = int4 ? run.kernels.gemm_i4 : run.kernels.gemm_i8;
    const bool symmetric = quant == fb::InputQuant::Symmetric;
    const auto quantize = symmetric ? run.kernels.quantize_symmetric : run.kernels.quantize_asymmetric;
    parallel::for_ranges(run.threads, rows, rows * k, [&](std::size_t begin, std::size_t end) {
      quantize({x + begin * k, k, q + begin * ldq, ldq, scale + begin, zero + begin, end - begin, k});
    });
    for_panels(run, rows, [&](std::size_t begin, std::size_t end) {
      product({q, ldq, scale, symmetric ? nullptr : zero, static_cast<const int8_t*>(weight), col_scale, colsum, bias,
               residual, n, y, n, rows, n, k, begin, end, activation});
    });
  }

  // Row of the quantized input, padded to whole steps of the weight's layout.
  std::size_t quantized_width() const { return round_up(k, int4 ? 32 : 16); }

  static std::size_t vector_bytes(std::size_t rows) { return round_up(rows * 4, 64); }

  // Splits the columns: every panel reads all rows but its own weights, once.
  template <typename Body>
  void for_panels(const Run& run, std::size_t rows, const Body& body) const {
    const auto threads = static_cast<std::size_t>(run.threads);
    if (threads == 1 || n < 32 || rows * n * k < kWorthThreads) return body(std::size_t{0}, n);
    const std::size_t panel = round_up((n + 2 * threads - 1) / (2 * threads), n >= 128 * threads ? 64 : 16);
    parallel::for_tasks(run.threads, (n + panel - 1) / panel,
                        [&](std::size_t i, int) { body(i * panel, std::min(n, (i + 1) * panel)); });
  }

  const void* weight = nullptr;
  const float* col_scale = nullptr;
  const int32_t* colsum = nullptr;
  const float* bias = nullptr;
  std::size_t n = 0, k = 0;
  kernels::Activation activation = kernels::Activation::None;
  fb::InputQuant quant = fb::InputQuant::None;
  fb::Rows kind = fb::Rows::Tokens;
  bool has_residual = false;
  bool int4 = false;
};

// Sums of the packed rows; a wrong one would shift every asymmetric result, or overflow int32.
void check_colsum(const Load& load, const format::Tensor& weight, const int32_t* colsum) {
  const bool int4 = weight.dtype == fb::DType::I4;
  const std::size_t step = int4 ? 32 : 16, n = weight.shape[0], blocks = (weight.shape[1] + step - 1) / step;
  for (std::size_t row = 0; row < n; ++row) {
    const int8_t* w = weight.as<int8_t>() + (row / 4 * blocks * 4 + row % 4) * 16;
    int32_t sum = 0;
    for (std::size_t block = 0; block < blocks; ++block) {
      for (std::size_t i = 0; i < 16; ++i) {
        const int32_t byte = w[block * 64 + i];
        sum += int4 ? (byte >> 4) + (((byte & 15) ^ 8) - 8) : byte;
      }
    }
    if (sum != colsum[row]) load.fail("F047", "colsum[" + std::to_string(row) + "] is not the sum of its weights");
  }
}

}  // namespace

std::unique_ptr<Op> make_linear(const Load& load) {
  const fb::Linear& body = *load.op().body_as_Linear();
  load.expect_inputs(1, 2);
  auto op = std::make_unique<Linear>();
  op->kind = load.input(0).rows;
  op->k = load.input(0).width;
  op->n = load.output().width;
  op->has_residual = load.inputs() == 2;
  load.expect_rows(load.output(), op->kind, "output");
  if (op->has_residual) {
    load.expect_rows(load.input(1), op->kind, "residual");
    load.expect_width(load.input(1).width, op->n, "residual");
  }
  if (op->k > format::kMaxInner) {
    load.fail("F034", "an input of " + std::to_string(op->k) + " columns is over " + std::to_string(format::kMaxInner));
  }
  if (body.activation() > fb::Activation::GeluTanh) load.fail("F031", "its activation is unknown");
  op->activation = static_cast<kernels::Activation>(body.activation());
  if (body.input_quant() > fb::InputQuant::Asymmetric) load.fail("F031", "its input quantization is unknown");
  op->quant = body.input_quant();
  const bool quantized = op->quant != fb::InputQuant::None;
  op->int4 = quantized && load.any_tensor(body.weight_t(), "weight").dtype == fb::DType::I4;
  const fb::DType dtype = op->int4 ? fb::DType::I4 : (quantized ? fb::DType::I8 : fb::DType::F32);
  const fb::Layout layout =
      op->int4 ? fb::Layout::PackI4N4K32 : (quantized ? fb::Layout::PackI8N4K16 : fb::Layout::PackF32N8);
  const format::Tensor& weight = load.tensor(body.weight_t(), "weight", dtype, layout, {op->n, op->k});
  op->weight = weight.data.data();
  const auto column = [&](int32_t index, const char* field, fb::DType type) -> const format::Tensor& {
    return load.tensor(index, field, type, fb::Layout::RowMajor, {op->n});
  };
  if (quantized) {
    op->col_scale = column(body.scale_t(), "scale", fb::DType::F32).as<float>();
    op->colsum = column(body.colsum_t(), "colsum", fb::DType::I32).as<int32_t>();
    check_colsum(load, weight, op->colsum);
  } else if (body.scale_t() != -1 || body.colsum_t() != -1) {
    load.fail("F031", "an f32 matrix has no scales, but scale or colsum is given");
  }
  if (body.bias_t() != -1) op->bias = column(body.bias_t(), "bias", fb::DType::F32).as<float>();
  op->parameters = op->n * op->k + (op->bias != nullptr ? op->n : 0);
  return op;
}

}  // namespace potstill::ops
