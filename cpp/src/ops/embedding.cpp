// y[t] = word[id[t]] + position[t] (+ type[type[t]]): tokens in, [tokens, H] out.
#include "ops/op.h"

namespace potstill::ops {
namespace {

struct Embedding : Op {
  void run(const Run& run) const override {
    run.team.for_ranges(run.ids.size(), run.ids.size() * width, [&](std::size_t begin, std::size_t end) {
      run.kernels.embed_rows({run.ids.data() + begin, run.positions.data() + begin, type, word, scale, position,
                              run.values[output] + begin * width, width, end - begin, width,
                              run.types.empty() ? nullptr : run.types.data() + begin, types});
    });
  }

  const char* kind() const override { return "Embedding"; }
  Facts facts() const override { return {.inputs = vocabulary, .weights = stored}; }

  Cost cost(std::span<const uint32_t> offsets) const override {
    return {.bytes = uint64_t{offsets.back()} * width * ((scale != nullptr ? 1 : 4) + 4 + 4)};
  }

  kernels::WordType type = kernels::WordType::F32;
  const void* word = nullptr;
  const float* scale = nullptr;
  const float* position = nullptr;
  const float* types = nullptr;  // rows of token types, or none
  std::size_t width = 0, vocabulary = 0;
  fb::DType stored = fb::DType::F32;  // numbers of the token table
};

}  // namespace

std::unique_ptr<Op> make_embedding(const Load& load) {
  const fb::Embedding& body = *load.op().body_as_Embedding();
  load.expect_inputs(0, 0);
  load.expect_rows(load.output(), fb::Rows::Tokens, "output");
  auto op = std::make_unique<Embedding>();
  op->width = load.output().width;
  const fb::DType stored = load.any_tensor(body.word_t(), "word").dtype;
  const bool int4 = stored == fb::DType::I4, quantized = int4 || stored == fb::DType::I8;
  const format::Tensor& word = load.tensor(body.word_t(), "word", quantized ? stored : fb::DType::F32,
                                           int4 ? fb::Layout::RowMajorI4 : fb::Layout::RowMajor, {0, op->width});
  using kernels::WordType;
  op->type = int4 ? WordType::I4 : (quantized ? WordType::I8 : WordType::F32);
  op->word = word.data.data();
  op->vocabulary = word.shape[0];
  op->stored = stored;
  if (quantized) {
    op->scale = load.tensor(body.word_scale_t(), "word_scale", fb::DType::F32, fb::Layout::RowMajor, {word.shape[0]})
                    .as<float>();
  } else if (body.word_scale_t() != -1) {
    load.fail("F031", "an f32 table has no scales, but word_scale is given");
  }
  const uint32_t max_tokens = load.file().model->input_as_TokenIds()->max_tokens();
  const format::Tensor& position =
      load.tensor(body.position_t(), "position", fb::DType::F32, fb::Layout::RowMajor, {0, op->width});
  if (position.shape[0] != max_tokens) {
    load.fail("F035", "the position table has " + std::to_string(position.shape[0]) + " rows, but max_tokens is " +
                          std::to_string(max_tokens));
  }
  op->position = position.as<float>();
  op->parameters = (uint64_t{word.shape[0]} + max_tokens) * op->width;
  if (body.type_t() != -1) {
    const format::Tensor& types =
        load.tensor(body.type_t(), "type", fb::DType::F32, fb::Layout::RowMajor, {0, op->width});
    op->types = types.as<float>();
    op->parameters += uint64_t{types.shape[0]} * op->width;
  }
  return op;
}

}  // namespace potstill::ops
