#include "support/tiny_bert.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

namespace potstill::testing {
namespace {

constexpr float kEps = 1e-5f;

using Rows = std::vector<std::vector<double>>;

void normalize(const TinyNorm& norm, std::vector<double>& row) {
  double mean = 0, variance = 0;
  for (const double x : row) mean += x / static_cast<double>(row.size());
  for (const double x : row) variance += (x - mean) * (x - mean) / static_cast<double>(row.size());
  for (std::size_t i = 0; i < row.size(); ++i) {
    row[i] = (row[i] - mean) / std::sqrt(variance + double{kEps}) * norm.gamma[i] + norm.beta[i];
  }
}

double gelu(double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }

std::vector<double> widened(const std::vector<float>& values) { return {values.begin(), values.end()}; }

// A row as the int8 path sees it, back in real numbers.
std::vector<double> quantized(std::vector<double> row, bool asymmetric) {
  double low = 0, high = 0;
  for (const double x : row) {
    low = std::min(low, x);
    high = std::max(high, x);
  }
  if (!asymmetric) {
    const double top = std::max(-low, high);
    for (double& x : row) x = std::nearbyint(x * 127 / top) * top / 127;
    return row;
  }
  const double step = (high - low) / 255;
  const double zero = std::clamp(-128 - std::nearbyint(low / step), -128.0, 127.0);
  for (double& x : row) x = (std::clamp(std::nearbyint(x / step) + zero, -128.0, 127.0) - zero) * step;
  return row;
}

}  // namespace

std::vector<float> TinyBert::random(std::size_t count, double scale, double shift) {
  std::normal_distribution<double> normal(shift, scale);
  std::vector<float> out(count);
  for (float& value : out) value = static_cast<float>(normal(engine_));
  return out;
}

int TinyBert::linear(const std::string& name, TinyLinear& layer, uint32_t n, uint32_t k, uint32_t in, uint32_t out,
                     fb::Activation activation, int residual, bool asymmetric) {
  const std::vector<float> w = random(std::size_t{n} * k, 1.0 / std::sqrt(k)), bias = random(n, 0.1);
  layer = {n, k, widened(w), widened(bias)};
  fb::LinearT body;
  if (shape_.quantized) {
    const float most = shape_.int4 ? 7 : 127;
    std::vector<int8_t> q(w.size());
    std::vector<float> scale(n);
    std::vector<int32_t> colsum(n);
    for (std::size_t row = 0; row < n; ++row) {
      float top = 0;
      for (std::size_t i = 0; i < k; ++i) top = std::max(top, std::fabs(w[row * k + i]));
      scale[row] = top / most;
      for (std::size_t i = 0; i < k; ++i) {
        const auto value = static_cast<int8_t>(std::clamp(std::nearbyint(w[row * k + i] / scale[row]), -most, most));
        q[row * k + i] = value;
        colsum[row] += value;
        layer.w[row * k + i] = double{scale[row]} * value;
      }
    }
    body.weight_t =
        shape_.int4 ? builder.packed_i4(name + ".weight", n, k, q) : builder.packed_i8(name + ".weight", n, k, q);
    body.scale_t = builder.f32(name + ".scale", {n}, scale);
    body.colsum_t = builder.i32(name + ".colsum", {n}, colsum);
    body.input_quant = asymmetric ? fb::InputQuant::Asymmetric : fb::InputQuant::Symmetric;
  } else {
    body.weight_t = builder.packed_f32(name + ".weight", n, k, w);
  }
  body.bias_t = builder.f32(name + ".bias", {n}, bias);
  body.activation = activation;
  std::vector<uint32_t> inputs{in};
  if (residual >= 0) inputs.push_back(static_cast<uint32_t>(residual));
  builder.op(name, std::move(body), inputs, out);
  return body.weight_t;
}

void TinyBert::norm(const std::string& name, TinyNorm& layer, uint32_t in, uint32_t out) {
  const std::vector<float> gamma = random(shape_.hidden, 0.1, 1), beta = random(shape_.hidden, 0.1);
  layer = {widened(gamma), widened(beta)};
  fb::LayerNormT body;
  body.gamma_t = builder.f32(name + ".gamma", {shape_.hidden}, gamma);
  body.beta_t = builder.f32(name + ".beta", {shape_.hidden}, beta);
  body.eps = kEps;
  builder.op(name, std::move(body), {in}, out);
}

void TinyBert::add_tokenizer() {
  std::vector<std::string> pieces{"[PAD]", "[UNK]", "[CLS]", "[SEP]"};
  for (char c = 'a'; c <= 'z'; ++c) pieces.emplace_back(1, c);
  for (char c = 'a'; pieces.size() < shape_.vocabulary; ++c) pieces.push_back(std::string("##") + c);
  std::string blob;
  std::vector<int32_t> offsets{0}, slots(128, -1);
  for (std::size_t id = 0; id < pieces.size(); ++id) {
    uint32_t hash = 2166136261u;
    for (const char c : pieces[id]) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
    std::size_t slot = hash % slots.size();
    while (slots[slot] != -1) slot = (slot + 1) % slots.size();
    slots[slot] = static_cast<int32_t>(id);
    blob += pieces[id];
    offsets.push_back(static_cast<int32_t>(blob.size()));
  }
  auto tables = std::make_unique<fb::TokenizerT>();
  tables->vocabulary = std::make_unique<fb::VocabularyT>();
  tables->vocabulary->text_t = builder.text("tokenizer.text", blob);
  tables->vocabulary->offsets_t = builder.i32("tokenizer.offsets", {static_cast<uint32_t>(offsets.size())}, offsets);
  tables->vocabulary->slots_t = builder.i32("tokenizer.slots", {static_cast<uint32_t>(slots.size())}, slots);
  fb::BertNormalizerT normalizer;
  normalizer.lowercase = normalizer.strip_accents = normalizer.clean_text = normalizer.handle_chinese_chars = true;
  tables->normalizers.push_back(std::make_unique<fb::NormalizerT>());
  tables->normalizers[0]->body.Set(std::move(normalizer));
  tables->pre_tokenizers.push_back(std::make_unique<fb::PreTokenizerT>());
  tables->pre_tokenizers[0]->body.Set(fb::BertPreTokenizerT{});
  fb::WordPieceT model;
  model.unk_id = 1;
  model.continuing_prefix = "##";
  tables->model.Set(std::move(model));
  using enum fb::Part;
  tables->single = {{2, Id, 0}, {0, First, 0}, {3, Id, 0}};
  tables->pair = {{2, Id, 0}, {0, First, 0}, {3, Id, 0}, {0, Second, 1}, {3, Id, 1}};
  tables->pad_id = 0;
  builder.model.tokenizer = std::move(tables);
}

TinyBert::TinyBert(const TinyShape& shape) : shape_(shape), engine_(shape.seed), layers_(shape.layers) {
  const uint32_t h = shape.hidden;
  auto card = std::make_unique<fb::CardT>();
  card->name = "tiny";
  card->task = "text-classification";
  card->scheme = shape.int4 ? "int4" : (shape.quantized ? "int8" : "fp32");
  auto origin = std::make_unique<fb::KeyValueT>();
  origin->key = "recipe";
  origin->value = "0123";
  card->provenance.push_back(std::move(origin));
  builder.model.card = std::move(card);
  builder.token_ids(shape.max_tokens);
  std::vector<std::string> labels;
  for (uint32_t i = 0; i < shape.labels; ++i) labels.push_back("label " + std::to_string(i));

  fb::EmbeddingT table;
  const std::vector<float> word = random(std::size_t{shape.vocabulary} * h, 1),
                           position = random(shape.max_tokens * h, 0.5);
  word_ = widened(word);
  position_ = widened(position);
  if (shape.quantized) {
    const float step = shape.int4 ? 0.5f : 0.03f, most = shape.int4 ? 7 : 127;
    std::vector<int8_t> q(word.size());
    std::vector<float> scale(shape.vocabulary, step);
    for (std::size_t i = 0; i < word.size(); ++i) {
      q[i] = static_cast<int8_t>(std::clamp(std::nearbyint(word[i] / step), -most, most));
      word_[i] = double{step} * q[i];
    }
    if (shape.int4) {
      table.word_t = builder.rows_i4("word", shape.vocabulary, h, q);
    } else {
      Bytes bytes(q.size());
      std::memcpy(bytes.data(), q.data(), q.size());
      table.word_t = builder.add("word", fb::DType::I8, fb::Layout::RowMajor, {shape.vocabulary, h}, bytes);
    }
    table.word_scale_t = builder.f32("word.scale", {shape.vocabulary}, scale);
  } else {
    table.word_t = builder.f32("word", {shape.vocabulary, h}, word);
  }
  table.position_t = builder.f32("position", {shape.max_tokens, h}, position);
  if (shape.types > 0) {
    const std::vector<float> types = random(std::size_t{shape.types} * h, 0.5);
    type_ = widened(types);
    table.type_t = builder.f32("type", {shape.types, h}, types);
  }
  const uint32_t raw = builder.value("embedded", fb::Rows::Tokens, h);
  builder.op("embedding", std::move(table), {}, raw);
  uint32_t x = builder.value("embedded.norm", fb::Rows::Tokens, h);
  norm("embedding.norm", embedded_, raw, x);
  for (uint32_t i = 0; i < shape.layers; ++i) {
    TinyLayer& layer = layers_[i];
    const std::string name = "layer" + std::to_string(i);
    const auto token_value = [&](const char* what, uint32_t width) {
      return builder.value(name + what, fb::Rows::Tokens, width);
    };
    const uint32_t qkv = token_value(".qkv", 3 * h), context = token_value(".context", h),
                   mixed = token_value(".mixed", h), normed = token_value(".normed", h),
                   up = token_value(".up", shape.inner), down = token_value(".down", h), last = token_value(".last", h);
    linear(name + ".qkv", layer.qkv, 3 * h, h, x, qkv, fb::Activation::None, -1, false);
    fb::AttentionT attention;
    attention.heads = shape.heads;
    builder.op(name + ".attention", std::move(attention), {qkv}, context);
    linear(name + ".out", layer.out, h, h, context, mixed, fb::Activation::None, static_cast<int>(x), false);
    norm(name + ".first", layer.first, mixed, normed);
    linear(name + ".up", layer.up, shape.inner, h, normed, up, fb::Activation::Gelu, -1, false);
    linear(name + ".down", layer.down, h, shape.inner, up, down, fb::Activation::None, static_cast<int>(normed), true);
    norm(name + ".second", layer.second, down, last);
    x = last;
  }
  if (shape.per_token) {
    const uint32_t each = builder.value("logits", fb::Rows::Tokens, shape.labels);
    linear("head", head_, shape.labels, h, x, each, fb::Activation::None, -1, false);
    builder.head("tags", each, fb::TagsT{}, labels);
    if (shape.tokenizer) add_tokenizer();
    return;
  }
  uint32_t pooled = builder.value("pooled", fb::Rows::Sequences, h);
  fb::PoolT pool;
  pool.kind = shape.cls ? fb::PoolKind::Cls : fb::PoolKind::Mean;
  builder.op("pool", std::move(pool), {x}, pooled);
  if (shape.cls) {
    const uint32_t dense = builder.value("pooler", fb::Rows::Sequences, h);
    linear("pooler", pooler_, h, h, pooled, dense, fb::Activation::Tanh, -1, false);
    pooled = dense;
  }
  if (shape.normalized) {
    const uint32_t unit = builder.value("unit", fb::Rows::Sequences, h);
    fb::NormalizeT body;
    body.eps = 1e-12f;
    builder.op("normalize", std::move(body), {pooled}, unit);
    builder.head("vector", unit, fb::VectorT{});
    if (shape.tokenizer) add_tokenizer();
    return;
  }
  const uint32_t logits = builder.value("logits", fb::Rows::Sequences, shape.labels);
  linear("head", head_, shape.labels, h, pooled, logits, fb::Activation::None, -1, false);
  if (shape.labels == 1) {
    builder.head("score", logits, fb::ScoreT{});
  } else {
    builder.head("classes", logits, fb::ClassesT{}, labels);
  }
  builder.head("vector", pooled, fb::VectorT{});
  if (shape.tokenizer) add_tokenizer();
}

std::vector<double> TinyBert::apply(const TinyLinear& layer, const std::vector<double>& x, bool asymmetric) const {
  const std::vector<double> in = shape_.quantized ? quantized(x, asymmetric) : x;
  std::vector<double> y = layer.bias;
  for (std::size_t n = 0; n < layer.n; ++n) {
    for (std::size_t k = 0; k < layer.k; ++k) y[n] += in[k] * layer.w[n * layer.k + k];
  }
  return y;
}

TinyResult TinyBert::evaluate(const std::vector<int32_t>& ids, const std::vector<int32_t>& types) const {
  const std::size_t h = shape_.hidden, size = h / shape_.heads;
  Rows x(ids.size(), std::vector<double>(h));
  for (std::size_t t = 0; t < ids.size(); ++t) {
    for (std::size_t c = 0; c < h; ++c)
      x[t][c] = word_[static_cast<std::size_t>(ids[t]) * h + c] + position_[t * h + c];
    const std::size_t type = types.empty() ? 0 : static_cast<std::size_t>(types[t]);
    for (std::size_t c = 0; c < h && !type_.empty(); ++c) x[t][c] += type_[type * h + c];
    normalize(embedded_, x[t]);
  }
  for (const TinyLayer& layer : layers_) {
    Rows qkv, next;
    for (const auto& row : x) qkv.push_back(apply(layer.qkv, row, false));
    for (std::size_t t = 0; t < x.size(); ++t) {
      std::vector<double> context(h, 0);
      for (std::size_t head = 0; head < shape_.heads; ++head) {
        std::vector<double> p(x.size(), 0);
        double total = 0;
        for (std::size_t j = 0; j < x.size(); ++j) {
          for (std::size_t c = head * size; c < (head + 1) * size; ++c) p[j] += qkv[t][c] * qkv[j][h + c];
          total += p[j] = std::exp(p[j]);
        }
        for (std::size_t j = 0; j < x.size(); ++j) {
          for (std::size_t c = head * size; c < (head + 1) * size; ++c) context[c] += p[j] / total * qkv[j][2 * h + c];
        }
      }
      std::vector<double> row = apply(layer.out, context, false);
      for (std::size_t c = 0; c < h; ++c) row[c] += x[t][c];
      normalize(layer.first, row);
      std::vector<double> up = apply(layer.up, row, false);
      for (double& value : up) value = gelu(value);
      std::vector<double> down = apply(layer.down, up, true);
      for (std::size_t c = 0; c < h; ++c) down[c] += row[c];
      normalize(layer.second, down);
      next.push_back(std::move(down));
    }
    x = std::move(next);
  }
  std::vector<double> pooled(h, 0);
  if (shape_.per_token) {
    std::vector<double> all;
    for (const auto& row : x) {
      const std::vector<double> one = apply(head_, row, false);
      all.insert(all.end(), one.begin(), one.end());
    }
    return {all, {}};
  }
  if (shape_.cls) {
    pooled = apply(pooler_, x[0], false);
    for (double& value : pooled) value = std::tanh(value);
  } else {
    for (const auto& row : x) {
      for (std::size_t c = 0; c < h; ++c) pooled[c] += row[c] / static_cast<double>(x.size());
    }
  }
  if (shape_.normalized) {
    double squares = 0;
    for (const double value : pooled) squares += value * value;
    for (double& value : pooled) value /= std::max(std::sqrt(squares), 1e-12);
    return {{}, pooled};
  }
  return {apply(head_, pooled, false), pooled};
}

}  // namespace potstill::testing
