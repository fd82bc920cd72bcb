// y = activation(x * w^T + bias) + residual, in f32 or with int8 or int4 weights and rows quantized on the fly.
#include <algorithm>

#include "ops/op.h"
#include "ops/split.h"

namespace potstill::ops {
namespace {

struct Linear : Op {
  int in_place() const override { return has_residual ? 1 : -1; }

  fb::InputQuant wants(std::size_t input) const override { return input == 0 ? quant : fb::InputQuant::None; }

  kernels::Activation may_leave() const override { return has_residual ? kernels::Activation::None : activation; }
  void leave_activation() override { activation = kernels::Activation::None; }
  void take_activation(kernels::Activation taken) override { before = taken; }

  void run(const Run& run) const override {
    const std::size_t rows = run.rows(of);
    float* x = run.values[inputs[0]];
    const float* residual = has_residual ? run.values[inputs[1]] : nullptr;
    float* y = run.values[output];
    if (quant == fb::InputQuant::None) {
      for_blocks(run, rows, [&](std::size_t row, std::size_t count, std::size_t begin, std::size_t end) {
        run.kernels.gemm_f32({x + row * k, k, static_cast<const float*>(weight), bias, from(residual, row), n,
                              y + row * n, n, count, n, k, begin, end, activation});
      });
      return;
    }
    const Quantized& form = run.forms[form_index(inputs[0], quant)];
    const std::size_t ldq = form.ld;
    int8_t* q = form.q();
    float* scale = form.scale();
    const auto product = int4 ? run.kernels.gemm_i4 : run.kernels.gemm_i8;
    const bool symmetric = quant == fb::InputQuant::Symmetric;
    int32_t* zero = form.zero();
    if (form.maker == run.op) {
      const auto quantize = symmetric ? run.kernels.quantize_symmetric : run.kernels.quantize_asymmetric;
      run.team.for_ranges(rows, rows * k, [&](std::size_t begin, std::size_t end) {
        float* activated = before == kernels::Activation::None ? nullptr : x + begin * k;
        quantize(
            {x + begin * k, k, q + begin * ldq, ldq, scale + begin, zero + begin, end - begin, k, before, activated});
      });
    }
    for_blocks(run, rows, [&](std::size_t row, std::size_t count, std::size_t begin, std::size_t end) {
      product({q + row * ldq, ldq, scale + row, symmetric ? nullptr : zero + row, static_cast<const int8_t*>(weight),
               col_scale, colsum, bias, from(residual, row), n, y + row * n, n, count, n, k, begin, end, activation});
    });
  }

  const char* kind() const override { return "Linear"; }
  Facts facts() const override {
    const fb::DType dtype = int4 ? fb::DType::I4 : quant != fb::InputQuant::None ? fb::DType::I8 : fb::DType::F32;
    return {.inputs = k, .weights = dtype, .activation = has_activation};
  }

  Cost cost(std::span<const uint32_t> offsets) const override {
    const uint64_t count = rows(of, offsets);
    const bool integer = quant != fb::InputQuant::None;
    const uint64_t weights = uint64_t{n} * k * (integer ? 1 : 4) / (int4 ? 2 : 1) + n * (integer ? 12 : 4);
    return {.macs = count * n * k,
            .bytes = weights + count * (k * (integer ? 4 + 2 : 4) + n * (has_residual ? 8 : 4)),
            .integer = integer};
  }

  const float* from(const float* matrix, std::size_t row) const {
    return matrix == nullptr ? nullptr : matrix + row * n;
  }

  template <typename Body>
  void for_blocks(const Run& run, std::size_t rows, const Body& body) const {
    const Split split = split_product(rows, n, k, run.team.threads());
    run.team.for_tasks(split.tasks, [&](std::size_t task, int) {
      const std::size_t row = task % split.row_blocks * split.rows, begin = task / split.row_blocks * split.columns;
      body(row, std::min(split.rows, rows - row), begin, std::min(n, begin + split.columns));
    });
  }

  const void* weight = nullptr;
  const float* col_scale = nullptr;
  const int32_t* colsum = nullptr;
  const float* bias = nullptr;
  std::size_t n = 0, k = 0;
  kernels::Activation activation = kernels::Activation::None;
  kernels::Activation before = kernels::Activation::None;  // of the input, on its way to int8
  fb::InputQuant quant = fb::InputQuant::None;
  fb::Rows of = fb::Rows::Tokens;
  bool has_residual = false;
  bool int4 = false;
  bool has_activation = false;  // wherever its activation is computed
};

// Sums of the packed rows; a wrong one would shift every asymmetric result, or overflow int32.
void check_colsum(const Load& load, const format::Tensor& weight, const int32_t* colsum) {
  const bool int4 = weight.dtype == fb::DType::I4;
  const std::size_t step = int4 ? 32 : 16, n = weight.shape[0],
                    blocks = (std::size_t{weight.shape[1]} + step - 1) / step;
  const int8_t* w = weight.as<int8_t>();
  for (std::size_t panel = 0; panel < n; panel += 4) {
    int32_t sums[4] = {};
    for (std::size_t block = 0; block < blocks;) {
      // 256 weights of at most 127 fit into int16: one widening add for 8 or 16 of them.
      int16_t part[64] = {};
      for (const std::size_t end = std::min(blocks, block + 256); block < end; ++block, w += 64) {
        if (int4) {  // both nibbles of the byte
          for (std::size_t i = 0; i < 64; ++i) {
            part[i] = static_cast<int16_t>(part[i] + (w[i] >> 4) + (((w[i] & 15) ^ 8) - 8));
          }
        } else {
          for (std::size_t i = 0; i < 64; ++i) part[i] = static_cast<int16_t>(part[i] + w[i]);
        }
      }
      for (std::size_t row = 0; row < 4; ++row) {
        int32_t sum = 0;
        for (std::size_t i = 0; i < 16; ++i) sum += part[row * 16 + i];
        sums[row] += sum;
      }
    }
    for (std::size_t row = panel; row < std::min(n, panel + 4); ++row) {
      if (sums[row - panel] != colsum[row]) {
        load.fail("F047", "colsum[" + std::to_string(row) + "] is not the sum of its weights");
      }
    }
  }
}

}  // namespace

std::unique_ptr<Op> make_linear(const Load& load) {
  const fb::Linear& body = *load.op().body_as_Linear();
  load.expect_inputs(1, 2);
  auto op = std::make_unique<Linear>();
  op->of = load.input(0).rows;
  op->k = load.input(0).width;
  op->n = load.output().width;
  op->has_residual = load.inputs() == 2;
  load.expect_rows(load.output(), op->of, "output");
  if (op->has_residual) {
    load.expect_rows(load.input(1), op->of, "residual");
    load.expect_width(load.input(1).width, op->n, "residual");
  }
  if (op->k > format::kMaxInner) {
    load.fail("F034", "an input of " + std::to_string(op->k) + " columns is over " + std::to_string(format::kMaxInner));
  }
  if (body.activation() > fb::Activation::GeluTanh) load.fail("F031", "its activation is unknown");
  op->activation = static_cast<kernels::Activation>(body.activation());
  op->has_activation = body.activation() != fb::Activation::None;
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
    if (load.first_sums(body.weight_t(), body.colsum_t())) check_colsum(load, weight, op->colsum);
  } else if (body.scale_t() != -1 || body.colsum_t() != -1) {
    load.fail("F031", "an f32 matrix has no scales, but scale or colsum is given");
  }
  if (body.bias_t() != -1) op->bias = column(body.bias_t(), "bias", fb::DType::F32).as<float>();
  op->parameters = uint64_t{op->n} * op->k + (op->bias != nullptr ? op->n : 0);
  return op;
}

}  // namespace potstill::ops
