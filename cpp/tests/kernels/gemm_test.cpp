// The matrix products of every set against the reference, bit for bit.
#include "kernels/support.h"

namespace potstill::kernels::testing {
namespace {

enum class Residual { None, Separate, Alias };

class Gemm : public EachSet {};

// Runs `call` on [0, n) cut at random multiples of 16.
template <class Call>
void in_slices(Rng& rng, std::size_t n, const Call& call) {
  std::size_t begin = 0;
  while (begin < n) {
    const std::size_t width = rng.one_in(2) ? n - begin : 16 * rng.from(1, 3);
    const std::size_t end = std::min(n, begin + width);
    call(begin, end);
    begin = end;
  }
}

struct Shape {
  std::size_t rows, n, k;
};

Shape random_shape(Rng& rng) {
  if (rng.one_in(25)) return {rng.from(1, 9), 312, 312};
  return {rng.from(1, 14), rng.from(1, 75), rng.from(1, 100)};
}

// Puts the weight of column c, row k of a packed int8 or int4 matrix; the bytes start as zeros.
void put_weight(bool int4, Guarded<int8_t>& w, std::size_t steps, std::size_t c, std::size_t k, int value) {
  const std::size_t step = int4 ? k / 32 : k / 16;
  int8_t& byte = w[(c / 4 * steps + step) * 64 + c % 4 * 16 + k % 16];
  if (!int4) {
    byte = static_cast<int8_t>(value);
  } else {
    const auto nibble = static_cast<uint8_t>(value & 15);
    byte = static_cast<int8_t>(static_cast<uint8_t>(byte) | (k % 32 < 16 ? nibble : nibble << 4));
  }
}

void check_integer(const KernelTable& reference, const KernelTable& set, bool int4, uint64_t seed) {
  Rng rng(seed);
  Shape shape = random_shape(rng);
  if (int4 && rng.one_in(4)) shape.k = rng.from(100, 1300);  // sums of int16 must be emptied in time
  const std::size_t rows = shape.rows, n = shape.n, k = shape.k;
  const std::size_t per_step = int4 ? 32 : 16, steps = (k + per_step - 1) / per_step, padded = steps * per_step;
  const std::size_t n4 = round_up(n, 4), n16 = round_up(n, 16);
  const std::size_t ldx = padded + 16 * rng.below(2), ldy = n + rng.below(5), ldr = n + rng.below(5);
  Guarded<int8_t> x((rows - 1) * ldx + padded), w(n4 * steps * 16);
  Guarded<float> row_scale(rows), col_scale(n16), bias(n16), residual((rows - 1) * ldr + n);
  Guarded<int32_t> row_zero(rows), colsum(n16);
  const bool extreme = rng.one_in(6);  // every product at its largest magnitude
  const int8_t far = rng.one_in(4) ? int8_t{127} : int8_t{-128};
  for (std::size_t m = 0; m < rows; ++m) {
    for (std::size_t i = 0; i < ldx && m * ldx + i < x.size(); ++i) {
      x[m * ldx + i] = i < k ? (extreme ? far : rng.activation()) : int8_t{0};
    }
    row_scale[m] = rng.one_in(12) ? (rng.one_in(2) ? NAN : 0.0f) : std::fabs(rng.uniform(-6));
    row_zero[m] = static_cast<int32_t>(rng.below(256)) - 128;
  }
  const int most = int4 ? 7 : 127;
  for (std::size_t c = 0; c < n; ++c) {
    const int sign = rng.one_in(2) ? 1 : -1;
    for (std::size_t i = 0; i < k; ++i) {
      const int value = extreme ? (rng.one_in(64) ? most : -most) * sign : (int4 ? rng.weight() % 8 : rng.weight());
      put_weight(int4, w, steps, c, i, value);
      colsum[c] += value;
    }
    col_scale[c] = std::fabs(rng.uniform(-6));
    bias[c] = rng.uniform(1);
  }
  for (float& v : residual) v = rng.one_in(30) ? rng.odd() : rng.uniform(2);
  const auto kind = static_cast<Residual>(rng.below(3));
  const Activation activation = kActivations[rng.below(std::size(kActivations))];
  Guarded<float> expected((rows - 1) * ldy + n, 7.0f), got((rows - 1) * ldy + n, 7.0f);
  for (std::size_t i = 0; i < expected.size(); ++i) expected[i] = got[i] = rng.uniform(1);
  const bool has_zero = rng.one_in(2), has_bias = !rng.one_in(5);
  const auto arguments = [&](float* y, std::size_t begin, std::size_t end) {
    return GemmI8{.x = x.data(),
                  .ldx = ldx,
                  .row_scale = row_scale.data(),
                  .row_zero = has_zero ? row_zero.data() : nullptr,
                  .w = w.data(),
                  .col_scale = col_scale.data(),
                  .colsum = colsum.data(),
                  .bias = has_bias ? bias.data() : nullptr,
                  .residual = kind == Residual::None ? nullptr : (kind == Residual::Alias ? y : residual.data()),
                  .ldr = kind == Residual::Alias ? ldy : ldr,
                  .y = y,
                  .ldy = ldy,
                  .rows = rows,
                  .n = n,
                  .k = k,
                  .col_begin = begin,
                  .col_end = end,
                  .activation = activation};
  };
  const auto product = [&](const KernelTable& table, float* y, std::size_t begin, std::size_t end) {
    (int4 ? table.gemm_i4 : table.gemm_i8)(arguments(y, begin, end));
  };
  product(reference, expected.data(), 0, n);
  in_slices(rng, n, [&](std::size_t begin, std::size_t end) { product(set, got.data(), begin, end); });
  expect_same(expected, got,
              std::string(int4 ? "i4" : "i8") + " rows " + std::to_string(rows) + " n " + std::to_string(n) + " k " +
                  std::to_string(k) + " activation " + std::to_string(static_cast<int>(activation)));
}

void check_f32(const KernelTable& reference, const KernelTable& set, uint64_t seed) {
  Rng rng(seed);
  const Shape shape = random_shape(rng);
  const std::size_t rows = shape.rows, n = shape.n, k = shape.k;
  const std::size_t n8 = round_up(n, 8), n16 = round_up(n, 16);
  const std::size_t ldx = k + rng.below(4), ldy = n + rng.below(5), ldr = n + rng.below(5);
  const bool odd = rng.one_in(4), wild = rng.one_in(8);
  Guarded<float> x((rows - 1) * ldx + k), w(n8 * k), bias(n16), residual((rows - 1) * ldr + n);
  for (float& v : x) v = odd && rng.one_in(20) ? rng.odd() : (wild && rng.one_in(200) ? rng.wild() : rng.uniform(1));
  for (std::size_t c = 0; c < n; ++c) {
    for (std::size_t i = 0; i < k; ++i) w[(c / 8) * k * 8 + i * 8 + c % 8] = rng.uniform(rng.one_in(4) ? 2 : -3);
    bias[c] = rng.uniform(1);
  }
  for (float& v : residual) v = rng.one_in(30) ? rng.odd() : rng.uniform(2);
  const auto kind = static_cast<Residual>(rng.below(3));
  const Activation activation = kActivations[rng.below(std::size(kActivations))];
  Guarded<float> expected((rows - 1) * ldy + n), got((rows - 1) * ldy + n);
  for (std::size_t i = 0; i < expected.size(); ++i) expected[i] = got[i] = rng.uniform(1);
  const bool has_bias = !rng.one_in(5);
  const auto arguments = [&](float* y, std::size_t begin, std::size_t end) {
    return GemmF32{.x = x.data(),
                   .ldx = ldx,
                   .w = w.data(),
                   .bias = has_bias ? bias.data() : nullptr,
                   .residual = kind == Residual::None ? nullptr : (kind == Residual::Alias ? y : residual.data()),
                   .ldr = kind == Residual::Alias ? ldy : ldr,
                   .y = y,
                   .ldy = ldy,
                   .rows = rows,
                   .n = n,
                   .k = k,
                   .col_begin = begin,
                   .col_end = end,
                   .activation = activation};
  };
  reference.gemm_f32(arguments(expected.data(), 0, n));
  in_slices(rng, n, [&](std::size_t begin, std::size_t end) { set.gemm_f32(arguments(got.data(), begin, end)); });
  expect_same(expected, got,
              "f32 rows " + std::to_string(rows) + " n " + std::to_string(n) + " k " + std::to_string(k) +
                  " activation " + std::to_string(static_cast<int>(activation)));
}

TEST_P(Gemm, I8EqualsReference) {
  for (uint64_t seed = 0; seed < 400 && !HasFatalFailure(); ++seed) check_integer(reference(), set(), false, seed);
}

TEST_P(Gemm, I4EqualsReference) {
  for (uint64_t seed = 2000; seed < 2400 && !HasFatalFailure(); ++seed) check_integer(reference(), set(), true, seed);
}

TEST_P(Gemm, F32EqualsReference) {
  for (uint64_t seed = 1000; seed < 1400 && !HasFatalFailure(); ++seed) check_f32(reference(), set(), seed);
}

// The reference itself, against sums written down independently: a row 0, 1, 2, ... times small integers.
TEST_P(Gemm, I8KnownNumbers) {
  constexpr std::size_t k = 20, n = 5, k16 = 32;
  Guarded<int8_t> x(k16), w(8 * k16);
  Guarded<float> row_scale(1, 0.5f), col_scale(16, 0.25f), bias(16, 1.0f), y(n);
  Guarded<int32_t> row_zero(1, 3), colsum(16);
  for (std::size_t i = 0; i < k; ++i) x[i] = static_cast<int8_t>(i);
  for (std::size_t c = 0; c < n; ++c) {
    for (std::size_t i = 0; i < k; ++i)
      w[(c / 4) * k16 * 4 + (i / 16) * 64 + (c % 4) * 16 + i % 16] = static_cast<int8_t>(c + 1);
    colsum[c] = static_cast<int32_t>(k * (c + 1));
  }
  set().gemm_i8({.x = x.data(),
                 .ldx = k16,
                 .row_scale = row_scale.data(),
                 .row_zero = row_zero.data(),
                 .w = w.data(),
                 .col_scale = col_scale.data(),
                 .colsum = colsum.data(),
                 .bias = bias.data(),
                 .residual = nullptr,
                 .ldr = 0,
                 .y = y.data(),
                 .ldy = n,
                 .rows = 1,
                 .n = n,
                 .k = k,
                 .col_begin = 0,
                 .col_end = n,
                 .activation = Activation::None});
  // sum i = 190, minus 3 * 20 = 130; 130 (c + 1) / 8 + 1.
  for (std::size_t c = 0; c < n; ++c) EXPECT_EQ(y[c], 130.0f * static_cast<float>(c + 1) / 8.0f + 1.0f);
}

// The order of the nibbles, from the layout's definition and not through put_weight: one weight of 40 is not zero.
TEST_P(Gemm, I4KnownNumbers) {
  constexpr std::size_t k = 40, n = 6, k32 = 64;
  for (std::size_t at = 0; at < k; ++at) {
    Guarded<int8_t> x(k32), w(2 * 2 * 64);
    Guarded<float> row_scale(1, 0.5f), col_scale(16, 0.25f), bias(16, 1.0f), y(n);
    Guarded<int32_t> row_zero(1, 3), colsum(16);
    for (std::size_t i = 0; i < k; ++i) x[i] = static_cast<int8_t>(i);
    for (std::size_t c = 0; c < n; ++c) {
      const int value = static_cast<int>(c) - 3;  // -3 .. 2, two's complement in four bits
      const std::size_t panel = c / 4, column = c % 4, step = at / 32, high = at % 32 / 16, byte = at % 16;
      w[panel * 128 + step * 64 + column * 16 + byte] = static_cast<int8_t>(high ? (value & 15) * 16 : value & 15);
      colsum[c] = value;
    }
    set().gemm_i4({.x = x.data(),
                   .ldx = k32,
                   .row_scale = row_scale.data(),
                   .row_zero = row_zero.data(),
                   .w = w.data(),
                   .col_scale = col_scale.data(),
                   .colsum = colsum.data(),
                   .bias = bias.data(),
                   .residual = nullptr,
                   .ldr = 0,
                   .y = y.data(),
                   .ldy = n,
                   .rows = 1,
                   .n = n,
                   .k = k,
                   .col_begin = 0,
                   .col_end = n,
                   .activation = Activation::None});
    for (std::size_t c = 0; c < n; ++c) {
      const float sum = (static_cast<float>(c) - 3.0f) * (static_cast<float>(at) - 3.0f);
      EXPECT_EQ(y[c], sum / 8.0f + 1.0f) << "k " << at << " column " << c;
    }
  }
}

POTSTILL_FOR_EACH_SET(Gemm);

}  // namespace
}  // namespace potstill::kernels::testing
