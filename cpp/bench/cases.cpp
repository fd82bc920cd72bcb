#include "bench/cases.h"

#include <cmath>
#include <memory>
#include <new>

namespace potstill::bench {
namespace {

using kernels::Activation;
using kernels::round_up;

// Zeroed and at a multiple of 64 bytes, as the arena and a file's sections are: where a block begins must not change
// a count or a time.
template <class T>
class Block {
 public:
  explicit Block(std::size_t size)
      : data_(new(std::align_val_t{64}) T[size](), [](T* p) { ::operator delete[](p, std::align_val_t{64}); }),
        size_(size) {}
  T* get() const { return data_.get(); }
  T& operator[](std::size_t i) const { return data_.get()[i]; }
  std::size_t size() const { return size_; }

 private:
  std::shared_ptr<T> data_;
  std::size_t size_;
};

// A linear congruential generator (the constants of Knuth's MMIX); the high bits are good enough for filling.
class Numbers {
 public:
  uint32_t next() {
    return static_cast<uint32_t>((state_ = state_ * 6364136223846793005u + 1442695040888963407u) >> 33);
  }
  float real(float scale) { return std::ldexp(static_cast<float>(next() % 2001) - 1000.0f, -10) * scale; }
  int8_t byte() { return static_cast<int8_t>(static_cast<int>(next() % 255) - 127); }
  Block<float> reals(std::size_t size, float scale = 1.0f) {
    Block<float> block(size);
    for (std::size_t i = 0; i < size; ++i) block[i] = real(scale);
    return block;
  }

 private:
  uint64_t state_ = 1;
};

std::string shape(std::size_t a, std::size_t b, std::size_t c = 0) {
  return std::to_string(a) + "x" + std::to_string(b) + (c == 0 ? "" : "x" + std::to_string(c));
}

struct Product {
  std::size_t n, k;
  Activation activation;
  bool residual, asymmetric;  // asymmetric: rows after GELU
};

// A layer's four: fused queries, keys and values; attention's output; up; down.
constexpr Product kProducts[] = {{936, 312, Activation::None, false, false},
                                 {312, 312, Activation::None, true, false},
                                 {1200, 312, Activation::Gelu, false, false},
                                 {312, 1200, Activation::None, true, true}};

// An int8 weight is a random byte, a byte of two int4 weights holds nibbles in [0, 7].
Case integer_product(Numbers& numbers, bool int4, const Product& p, std::size_t rows) {
  const std::size_t ldx = round_up(p.k, int4 ? 32 : 16), bytes = int4 ? ldx / 2 : ldx;
  const Block<int8_t> x(rows * ldx), w(round_up(p.n, 4) * bytes);
  const Block<float> row_scale(rows), col_scale(round_up(p.n, 16)), y(rows * p.n);
  const Block<float> bias = numbers.reals(round_up(p.n, 16)), residual = numbers.reals(rows * p.n);
  const Block<int32_t> row_zero(rows), colsum(round_up(p.n, 16));
  for (std::size_t m = 0; m < rows; ++m) {
    for (std::size_t i = 0; i < p.k; ++i) x[m * ldx + i] = numbers.byte();
    row_scale[m] = 0.01f;
    row_zero[m] = p.asymmetric ? -101 : 0;
  }
  for (std::size_t c = 0; c < p.n; ++c) {
    for (std::size_t i = 0; i < bytes && i < p.k; ++i) {
      const int8_t value = int4 ? static_cast<int8_t>(numbers.byte() & 0x77) : numbers.byte();
      w[(c / 4) * bytes * 4 + (i / 16) * 64 + (c % 4) * 16 + i % 16] = value;
      colsum[c] += int4 ? (value & 7) + (value >> 4) : value;
    }
    col_scale[c] = 0.002f;
  }
  const std::string name = (int4 ? "gemm_i4/" : "gemm_i8/") + shape(rows, p.n, p.k);
  return {name, rows * p.n * p.k, [=](const kernels::KernelTable& set) {
            (int4 ? set.gemm_i4 : set.gemm_i8)(
                {x.get(), ldx, row_scale.get(), p.asymmetric ? row_zero.get() : nullptr, w.get(), col_scale.get(),
                 colsum.get(), bias.get(), p.residual ? residual.get() : nullptr, p.n, y.get(), p.n, rows, p.n, p.k, 0,
                 p.n, p.activation == Activation::Gelu ? Activation::GeluPoly : p.activation});  // as `int8` does
          }};
}

Case gemm_f32(Numbers& numbers, const Product& p, std::size_t rows) {
  const Block<float> x = numbers.reals(rows * p.k), w = numbers.reals(round_up(p.n, 8) * p.k, 0.06f),
                     bias = numbers.reals(round_up(p.n, 16)), residual = numbers.reals(rows * p.n), y(rows * p.n);
  return {"gemm_f32/" + shape(rows, p.n, p.k), rows * p.n * p.k, [=](const kernels::KernelTable& set) {
            set.gemm_f32({x.get(), p.k, w.get(), bias.get(), p.residual ? residual.get() : nullptr, p.n, y.get(), p.n,
                          rows, p.n, p.k, 0, p.n, p.activation});
          }};
}

Case attention(Numbers& numbers, std::size_t tokens, std::size_t size, std::size_t heads) {
  const std::size_t width = heads * size, ld = 3 * width;
  const Block<float> qkv = numbers.reals(tokens * ld), out(tokens * width),
                     scratch(kernels::attention_scratch(tokens, size));
  return {"attention_head/" + shape(tokens, size), 2 * tokens * tokens * size, [=](const kernels::KernelTable& set) {
            set.attention_head({qkv.get(), qkv.get() + width, qkv.get() + 2 * width, ld, out.get(), width, tokens, size,
                                scratch.get()});
          }};
}

Case quantize(Numbers& numbers, bool symmetric, std::size_t rows, std::size_t k) {
  const std::size_t ldq = round_up(k, 16);
  const Block<float> x = numbers.reals(rows * k), scale(rows);
  const Block<int8_t> q(rows * ldq);
  const Block<int32_t> zero(rows);
  return {(symmetric ? "quantize_symmetric/" : "quantize_asymmetric/") + shape(rows, k), rows * k,
          [=](const kernels::KernelTable& set) {
            (symmetric ? set.quantize_symmetric
                       : set.quantize_asymmetric)({x.get(), k, q.get(), ldq, scale.get(), zero.get(), rows, k});
          }};
}

Case layer_norm(Numbers& numbers, bool quantized, std::size_t rows, std::size_t n) {
  const std::size_t ldq = round_up(n, 16);
  const Block<float> x = numbers.reals(rows * n), gamma = numbers.reals(n), beta = numbers.reals(n), y(rows * n),
                     scale(rows);
  const Block<int8_t> q(rows * ldq);
  return {(quantized ? "layer_norm_q/" : "layer_norm/") + shape(rows, n), rows * n,
          [=](const kernels::KernelTable& set) {
            set.layer_norm({x.get(), n, gamma.get(), beta.get(), y.get(), n, rows, n, 1e-12f,
                            quantized ? q.get() : nullptr, quantized ? ldq : 0, quantized ? scale.get() : nullptr});
          }};
}

Case embed(Numbers& numbers, bool quantized, std::size_t rows, std::size_t n) {
  constexpr std::size_t kVocabulary = 200;
  const Block<float> words = numbers.reals(kVocabulary * n), scales = numbers.reals(kVocabulary, 0.01f),
                     positions = numbers.reals(rows * n), y(rows * n);
  const Block<int8_t> bytes(kVocabulary * n);
  const Block<int32_t> ids(rows), places(rows);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = numbers.byte();
  for (std::size_t i = 0; i < rows; ++i) {
    ids[i] = static_cast<int32_t>(numbers.next() % kVocabulary);
    places[i] = static_cast<int32_t>(i);
  }
  return {(quantized ? "embed_i8/" : "embed_f32/") + shape(rows, n), rows * n, [=](const kernels::KernelTable& set) {
            const void* table = quantized ? static_cast<const void*>(bytes.get()) : words.get();
            set.embed_rows({ids.get(), places.get(), quantized ? kernels::WordType::I8 : kernels::WordType::F32, table,
                            quantized ? scales.get() : nullptr, positions.get(), y.get(), n, rows, n});
          }};
}

Case mean_pool(Numbers& numbers, std::size_t tokens, std::size_t n) {
  const Block<float> x = numbers.reals(tokens * n), y(n);
  return {"mean_pool/" + shape(tokens, n), tokens * n,
          [=](const kernels::KernelTable& set) { set.mean_pool({x.get(), n, tokens, n, y.get()}); }};
}

Case l2_normalize(Numbers& numbers, std::size_t n) {
  const Block<float> x = numbers.reals(n), y(n);
  return {"l2_normalize/" + std::to_string(n), n,
          [=](const kernels::KernelTable& set) { set.l2_normalize({x.get(), y.get(), n, 1e-12f}); }};
}

}  // namespace

std::vector<Case> cases() {
  Numbers numbers;
  std::vector<Case> all;
  for (const std::size_t rows : {64u, 7u}) {
    for (const Product& product : kProducts) all.push_back(integer_product(numbers, false, product, rows));
    for (const Product& product : kProducts) all.push_back(integer_product(numbers, true, product, rows));
  }
  for (const std::size_t rows : {64u, 7u}) {
    for (const Product& product : kProducts) all.push_back(gemm_f32(numbers, product, rows));
  }
  all.push_back(attention(numbers, 64, 26, 12));
  all.push_back(layer_norm(numbers, false, 64, 312));
  all.push_back(layer_norm(numbers, true, 64, 312));
  all.push_back(quantize(numbers, true, 64, 312));
  all.push_back(quantize(numbers, false, 64, 1200));
  all.push_back(embed(numbers, true, 64, 312));
  all.push_back(embed(numbers, false, 64, 312));
  all.push_back(mean_pool(numbers, 64, 312));
  all.push_back(l2_normalize(numbers, 312));
  return all;
}

}  // namespace potstill::bench
