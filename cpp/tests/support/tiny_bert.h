// A small BERT classifier with random weights, as a `.still` file and as an evaluator in plain binary64 loops.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "support/still_builder.h"

namespace potstill::testing {

struct TinyShape {
  uint32_t vocabulary = 50, hidden = 24, heads = 2, inner = 40, layers = 2, max_tokens = 20, labels = 3;
  bool quantized = false;   // int8 weights and word table
  bool int4 = false;        // with quantized: int4 instead
  bool cls = false;         // pooling: [CLS] row and a tanh layer instead of the mean
  uint32_t types = 0;       // rows of a table of token types; 0: none
  bool per_token = false;   // a head on every token, no pooling
  bool normalized = false;  // a sentence encoder: the pooled vector divided by its length, no head
  bool tokenizer = false;   // one-letter vocabulary: [PAD] [UNK] [CLS] [SEP] a..z ##a..##t
  uint64_t seed = 1;
};

struct TinyLinear {
  uint32_t n = 0, k = 0;
  std::vector<double> w, bias;  // the values the file stands for, [n, k] and [n]
};

struct TinyNorm {
  std::vector<double> gamma, beta;
};

struct TinyLayer {
  TinyLinear qkv, out, up, down;
  TinyNorm first, second;
};

// Per token: the logits of all tokens, one after another, and no embedding.
struct TinyResult {
  std::vector<double> logits, embedding;
};

class TinyBert {
 public:
  explicit TinyBert(const TinyShape& shape);

  StillBuilder builder;
  Bytes file() const { return builder.file(); }
  const TinyShape& shape() const { return shape_; }

  // One sequence, binary64, no blocking, no padding; rows are quantized where the file says so.
  TinyResult evaluate(const std::vector<int32_t>& ids, const std::vector<int32_t>& types = {}) const;

 private:
  std::vector<float> random(std::size_t count, double scale, double shift = 0);
  int linear(const std::string& name, TinyLinear& layer, uint32_t n, uint32_t k, uint32_t in, uint32_t out,
             fb::Activation activation, int residual, bool asymmetric);
  void norm(const std::string& name, TinyNorm& layer, uint32_t in, uint32_t out);
  void add_tokenizer();
  std::vector<double> apply(const TinyLinear& layer, const std::vector<double>& x, bool asymmetric) const;

  TinyShape shape_;
  std::mt19937_64 engine_;
  std::vector<double> word_, position_, type_;
  TinyNorm embedded_;
  std::vector<TinyLayer> layers_;
  TinyLinear pooler_, head_;
};

}  // namespace potstill::testing
