// Both matrix products of every set against the reference over every number of rows up to 13, every tail of k and n,
// every activation, and column ranges alone: the combinations that random shapes may miss.
#include <algorithm>

#include "kernels/operand.h"

namespace potstill::kernels::testing {
namespace {

class ProductsSweep : public EachSet {};

struct Sizes {
  std::size_t rows, n, k;
};

// Around every multiple of 16 that a kernel may step by.
constexpr std::size_t kEdges[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17,
                                  31, 32, 33, 47, 48, 49, 63, 64, 65, 79, 80, 81, 95, 96, 97, 129};

// Every pair of (rows, n), (rows, k) and (n, k), the third going round.
std::vector<Sizes> sizes() {
  std::vector<Sizes> all;
  std::size_t turn = 0;
  for (std::size_t rows = 1; rows <= 13; ++rows) {
    for (const std::size_t edge : kEdges) {
      all.push_back({rows, edge, kEdges[++turn % std::size(kEdges)]});
      all.push_back({rows, kEdges[(turn += 5) % std::size(kEdges)], edge});
    }
  }
  for (const std::size_t n : kEdges) {
    for (const std::size_t k : kEdges) all.push_back({++turn % 13 + 1, n, k});
  }
  return all;
}

// What surrounds the product: bias or not, residual apart or in place of y, which activation, which columns.
struct Form {
  explicit Form(Rng& rng, const Sizes& size)
      : bias(!rng.one_in(4)),
        residual(static_cast<int>(rng.below(3))),
        activation(kActivations[rng.below(std::size(kActivations))]),
        ldy(size.n + rng.below(3)),
        begin(rng.one_in(2) ? 0 : 16 * rng.below((size.n + 15) / 16)),
        end(rng.one_in(2) ? size.n : std::min(size.n, begin + 16 * rng.from(1, 3))) {}
  bool bias;
  int residual;  // 0 none, 1 apart, 2 y itself
  Activation activation;
  std::size_t ldy, begin, end;
};

std::string text(const Sizes& size, const Form& form) {
  return "rows " + std::to_string(size.rows) + " n " + std::to_string(size.n) + " k " + std::to_string(size.k) +
         " columns " + std::to_string(form.begin) + ".." + std::to_string(form.end) + " activation " +
         std::to_string(static_cast<int>(form.activation)) + " residual " + std::to_string(form.residual);
}

// y before the call: a column outside the range must keep it.
void fill(const Operand<float>& y, uint64_t seed) {
  Rng rng(seed);
  for (float& v : y) v = rng.uniform(1);
}

struct Int8Data {
  Int8Data(Flush flush, const Sizes& size, Rng& rng, bool largest)
      : x(flush, size.rows * round_up(size.k, 16)),
        w(flush, round_up(size.n, 4) * round_up(size.k, 16)),
        row_scale(flush, size.rows),
        col_scale(flush, round_up(size.n, 16)),
        row_zero(flush, size.rows),
        colsum(flush, round_up(size.n, 16)) {
    const std::size_t k16 = round_up(size.k, 16);
    const int8_t side = rng.one_in(2) ? int8_t{127} : int8_t{-127};
    for (std::size_t m = 0; m < size.rows; ++m) {
      for (std::size_t i = 0; i < size.k; ++i) x[m * k16 + i] = largest ? int8_t{-128} : rng.activation();
      row_scale[m] = rng.one_in(10) ? 0.0f : std::fabs(rng.uniform(-6));
      row_zero[m] = largest ? 127 : static_cast<int32_t>(rng.below(256)) - 128;
    }
    for (std::size_t c = 0; c < size.n; ++c) {
      for (std::size_t i = 0; i < size.k; ++i) {
        const int8_t value = largest ? side : rng.weight();
        w[(c / 4) * k16 * 4 + (i / 16) * 64 + (c % 4) * 16 + i % 16] = value;
        colsum[c] += value;
      }
      col_scale[c] = std::fabs(rng.uniform(-6));
    }
    x.seal(), w.seal(), row_scale.seal(), col_scale.seal(), row_zero.seal(), colsum.seal();
  }
  Operand<int8_t> x, w;
  Operand<float> row_scale, col_scale;
  Operand<int32_t> row_zero, colsum;
};

struct Tail {
  Tail(Flush flush, const Sizes& size, const Form& form, Rng& rng)
      : bias(flush, round_up(size.n, 16)),
        residual(flush, (size.rows - 1) * form.ldy + size.n),
        expected(flush, residual.size()),
        got(flush, residual.size()) {
    for (std::size_t c = 0; c < size.n; ++c) bias[c] = rng.uniform(1);
    for (float& v : residual) v = rng.uniform(1);
    bias.seal(), residual.seal();
    const uint64_t seed = rng.next();
    fill(expected, seed);
    fill(got, seed);
  }
  template <class Call>  // GemmI8 or GemmF32
  void set(Call& call, const Sizes& size, const Form& form, const Operand<float>& y) const {
    call.bias = form.bias ? bias.data() : nullptr;
    call.residual = form.residual == 0 ? nullptr : form.residual == 1 ? residual.data() : y.data();
    call.ldr = form.ldy;
    call.y = y.data();
    call.ldy = form.ldy;
    call.rows = size.rows, call.n = size.n, call.k = size.k;
    call.col_begin = form.begin, call.col_end = form.end;
    call.activation = form.activation;
  }
  Operand<float> bias, residual, expected, got;
};

void check_i8(const KernelTable& reference, const KernelTable& set, Flush flush, const Sizes& size, Rng& rng,
              bool largest = false) {
  const Form form(rng, size);
  const Int8Data data(flush, size, rng, largest);
  const Tail tail(flush, size, form, rng);
  GemmI8 call{};
  call.x = data.x.data(), call.ldx = round_up(size.k, 16), call.w = data.w.data();
  call.row_scale = data.row_scale.data(), call.col_scale = data.col_scale.data(), call.colsum = data.colsum.data();
  call.row_zero = largest || rng.one_in(2) ? data.row_zero.data() : nullptr;
  tail.set(call, size, form, tail.expected);
  reference.gemm_i8(call);
  tail.set(call, size, form, tail.got);
  set.gemm_i8(call);
  expect_same(tail.expected, tail.got, "i8 " + text(size, form));
}

void check_f32(const KernelTable& reference, const KernelTable& set, Flush flush, const Sizes& size, Rng& rng) {
  const Form form(rng, size);
  Operand<float> x(flush, size.rows * size.k), w(flush, round_up(size.n, 8) * size.k);
  for (float& v : x) v = rng.one_in(40) ? rng.odd() : rng.uniform(1);
  for (std::size_t c = 0; c < size.n; ++c) {
    for (std::size_t i = 0; i < size.k; ++i) w[(c / 8) * size.k * 8 + i * 8 + c % 8] = rng.uniform(-2);
  }
  x.seal(), w.seal();
  const Tail tail(flush, size, form, rng);
  GemmF32 call{};
  call.x = x.data(), call.ldx = size.k, call.w = w.data();
  tail.set(call, size, form, tail.expected);
  reference.gemm_f32(call);
  tail.set(call, size, form, tail.got);
  set.gemm_f32(call);
  expect_same(tail.expected, tail.got, "f32 " + text(size, form));
}

TEST_P(ProductsSweep, I8) {
  Rng rng(31);
  for (const Sizes& size : sizes()) {
    for (const Flush flush : kBothEnds) {
      check_i8(reference(), set(), flush, size, rng);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(ProductsSweep, F32) {
  Rng rng(32);
  for (const Sizes& size : sizes()) {
    for (const Flush flush : kBothEnds) {
      check_f32(reference(), set(), flush, size, rng);
      if (HasFatalFailure()) return;
    }
  }
}

// The longest row the loader lets pass, every product -128 * +-127 and the zero point at its end: int32 just holds it.
TEST_P(ProductsSweep, I8LargestSums) {
  Rng rng(33);
  for (const std::size_t rows : {1u, 4u, 6u}) check_i8(reference(), set(), Flush::End, {rows, 16, 32768}, rng, true);
  for (std::size_t k = 1; k <= 129; ++k) check_i8(reference(), set(), Flush::End, {1 + k % 8, 20, k}, rng, true);
}

POTSTILL_FOR_EACH_OTHER_SET(ProductsSweep);

}  // namespace
}  // namespace potstill::kernels::testing
