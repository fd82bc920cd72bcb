// Quantization, layer norm, embedding and pooling of every set against the reference, bit for bit.
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/support.h"

namespace potstill::kernels::testing {
namespace {

class Rows : public EachSet {};

// A row of one of the kinds that have their own path.
void fill_row(Rng& rng, float* x, std::size_t n) {
  const std::size_t kind = rng.below(9);
  const int exponent = static_cast<int>(rng.below(12)) - 6;
  for (std::size_t i = 0; i < n; ++i) {
    const float u = rng.uniform(exponent);
    switch (kind) {
      case 0:
        x[i] = rng.one_in(2) ? 0.0f : -0.0f;
        break;
      case 1:
        x[i] = u > 0 ? u : 0.0f;
        break;  // one side
      case 2:
        x[i] = -std::fabs(u);
        break;
      case 3:
        x[i] = rng.odd();
        break;
      case 4:
        x[i] = std::ldexp(u, -95);
        break;  // around the 1e-30 limit
      case 5:
        x[i] = std::ldexp(static_cast<float>(rng.below(255)), -3);
        break;  // ties when rounded
      default:
        x[i] = u;
        break;
    }
  }
  if (rng.one_in(10)) x[rng.below(n)] = rng.wild();
}

void check_quantize(const KernelTable& reference, const KernelTable& set, bool symmetric, uint64_t seed) {
  Rng rng(seed);
  const std::size_t rows = rng.from(1, 9), k = rng.one_in(20) ? 1200 : rng.from(1, 90);
  const std::size_t ldx = k + rng.below(4), ldq = round_up(k, 16) + 16 * rng.below(2);
  Guarded<float> x((rows - 1) * ldx + k), scale_a(rows, 5.0f), scale_b(rows, 5.0f);
  Guarded<int8_t> q_a(rows * ldq, 99), q_b(rows * ldq, 99);
  Guarded<int32_t> zero_a(rows, 77), zero_b(rows, 77);
  for (std::size_t m = 0; m < rows; ++m) fill_row(rng, x.data() + m * ldx, k);
  QuantizeRows a{x.data(), ldx, q_a.data(), ldq, scale_a.data(), symmetric ? nullptr : zero_a.data(), rows, k};
  QuantizeRows b{x.data(), ldx, q_b.data(), ldq, scale_b.data(), symmetric ? nullptr : zero_b.data(), rows, k};
  Guarded<float> y_a(x.size(), 3.0f), y_b(x.size(), 3.0f);
  if (rng.one_in(2)) {
    a.activation = b.activation = static_cast<Activation>(rng.below(6));
    a.activated = y_a.data(), b.activated = y_b.data();
  }
  symmetric ? reference.quantize_symmetric(a) : reference.quantize_asymmetric(a);
  symmetric ? set.quantize_symmetric(b) : set.quantize_asymmetric(b);
  const std::string what = "k " + std::to_string(k) + " seed " + std::to_string(seed);
  expect_same(scale_a, scale_b, "scale " + what);
  expect_same(zero_a, zero_b, "zero " + what);
  expect_same(q_a, q_b, "q " + what);
  expect_same(y_a, y_b, "activation " + what);
}

TEST_P(Rows, SymmetricEqualsReference) {
  for (uint64_t seed = 0; seed < 500 && !HasFatalFailure(); ++seed) check_quantize(reference(), set(), true, seed);
}

TEST_P(Rows, AsymmetricEqualsReference) {
  for (uint64_t seed = 0; seed < 500 && !HasFatalFailure(); ++seed) check_quantize(reference(), set(), false, seed);
}

// What the two schemes promise: a value comes back within half a step (and the rounding of the scale), 0 exactly.
TEST_P(Rows, QuantizedValuesComeBack) {
  Rng rng(7);
  constexpr std::size_t k = 100;
  Guarded<float> x(k), scale(1);
  Guarded<int8_t> q(112);
  Guarded<int32_t> zero(1);
  for (int trial = 0; trial < 50; ++trial) {
    for (float& v : x) v = rng.uniform(2);
    if (trial % 2 == 1) {
      for (float& v : x) v = v > -0.5f ? v : -0.17f;
    }
    x[3] = 0.0f;
    const QuantizeRows a{x.data(), k, q.data(), 112, scale.data(), zero.data(), 1, k};
    set().quantize_symmetric(a);
    for (std::size_t i = 0; i < k; ++i) EXPECT_NEAR(scale[0] * q[i], x[i], scale[0] * 0.5001f);
    set().quantize_asymmetric(a);
    for (std::size_t i = 0; i < k; ++i) {
      // The rounded zero point can push an end value off by up to half a step more.
      EXPECT_NEAR(scale[0] * static_cast<float>(q[i] - zero[0]), x[i], scale[0] * 1.0001f);
    }
    EXPECT_EQ(q[3], zero[0]);
  }
}

TEST_P(Rows, LayerNormEqualsReference) {
  for (uint64_t seed = 0; seed < 300 && !HasFatalFailure(); ++seed) {
    Rng rng(seed);
    const std::size_t rows = rng.from(1, 9), n = rng.one_in(10) ? 312 : rng.from(1, 90);
    const std::size_t ldx = n + rng.below(4);
    const bool in_place = rng.one_in(3);
    const std::size_t ldy = in_place ? ldx : n + rng.below(4);
    Guarded<float> x((rows - 1) * ldx + n), gamma(n), beta(n), a((rows - 1) * ldy + n, 3.0f),
        b((rows - 1) * ldy + n, 3.0f);
    for (std::size_t m = 0; m < rows; ++m) fill_row(rng, x.data() + m * ldx, n);
    for (float& v : gamma) v = rng.uniform(1);
    for (float& v : beta) v = rng.uniform(0);
    const std::size_t ldq = round_up(n, 16) + 16 * rng.below(2);
    const bool quantized = rng.one_in(2);
    Guarded<int8_t> q_a(rows * ldq, 99), q_b(rows * ldq, 99);
    Guarded<float> scale_a(rows, 5.0f), scale_b(rows, 5.0f);
    LayerNorm call{x.data(), ldx, gamma.data(), beta.data(), a.data(), ldy, rows, n, 1e-12f, nullptr, 0, nullptr};
    if (quantized) call.q = q_a.data(), call.ldq = ldq, call.q_scale = scale_a.data();
    reference().layer_norm(call);
    if (in_place) std::copy(x.begin(), x.end(), b.begin());
    call.x = in_place ? b.data() : x.data();
    call.y = b.data();
    if (quantized) call.q = q_b.data(), call.q_scale = scale_b.data();
    set().layer_norm(call);
    expect_same(q_a, q_b, "layer norm q, n " + std::to_string(n) + " seed " + std::to_string(seed));
    expect_same(scale_a, scale_b, "layer norm scale, n " + std::to_string(n) + " seed " + std::to_string(seed));
    if (in_place) {  // columns between the rows hold the input there
      for (std::size_t m = 0; m + 1 < rows; ++m)
        std::copy(a.data() + m * ldy + n, a.data() + (m + 1) * ldy, b.data() + m * ldy + n);
    }
    expect_same(a, b, "layer norm n " + std::to_string(n) + " seed " + std::to_string(seed));
  }
}

TEST_P(Rows, LayerNormAgainstDouble) {
  Rng rng(11);
  constexpr std::size_t n = 312;
  Guarded<float> x(n), gamma(n), beta(n), y(n);
  for (float& v : x) v = rng.uniform(2);
  for (float& v : gamma) v = rng.uniform(0);
  for (float& v : beta) v = rng.uniform(0);
  set().layer_norm({x.data(), n, gamma.data(), beta.data(), y.data(), n, 1, n, 1e-5f});
  double mean = 0, variance = 0;
  for (float v : x) mean += v / double{n};
  for (float v : x) variance += (v - mean) * (v - mean) / double{n};
  for (std::size_t i = 0; i < n; ++i) {
    EXPECT_NEAR(y[i], (x[i] - mean) / std::sqrt(variance + 1e-5) * gamma[i] + beta[i], 2e-6);
  }
}

TEST_P(Rows, EmbedEqualsReference) {
  for (uint64_t seed = 0; seed < 200 && !HasFatalFailure(); ++seed) {
    Rng rng(seed);
    const std::size_t rows = rng.from(1, 9), n = rng.one_in(10) ? 312 : rng.from(1, 70), vocab = 11, positions = 7;
    const std::size_t ldy = n + rng.below(4);
    const auto type = static_cast<WordType>(rng.below(3));
    Guarded<float> words(vocab * n), scales(vocab), position(positions * n);
    Guarded<int8_t> bytes(vocab * n);
    Guarded<uint8_t> nibbles(vocab * (round_up(n, 32) / 2));  // any bits: padding and -8 may not matter here
    for (float& v : words) v = rng.uniform(0);
    for (float& v : scales) v = rng.uniform(-5);
    for (float& v : position) v = rng.uniform(0);
    for (int8_t& v : bytes) v = rng.activation();
    for (uint8_t& v : nibbles) v = static_cast<uint8_t>(rng.below(256));
    Guarded<int32_t> ids(rows), places(rows);
    for (int32_t& v : ids) v = static_cast<int32_t>(rng.below(vocab));
    for (int32_t& v : places) v = static_cast<int32_t>(rng.below(positions));
    constexpr std::size_t kTypes = 2;
    Guarded<float> type_rows(kTypes * n);
    Guarded<int32_t> token_types(rows);
    for (float& v : type_rows) v = rng.uniform(0);
    for (int32_t& v : token_types) v = static_cast<int32_t>(rng.below(kTypes));
    Guarded<float> a((rows - 1) * ldy + n, 3.0f), b((rows - 1) * ldy + n, 3.0f);
    const void* tables[] = {words.data(), bytes.data(), nibbles.data()};
    EmbedRows call{ids.data(),
                   places.data(),
                   type,
                   tables[static_cast<std::size_t>(type)],
                   type == WordType::F32 ? nullptr : scales.data(),
                   position.data(),
                   a.data(),
                   ldy,
                   rows,
                   n};
    if (rng.below(2) == 1) call.type_rows = type_rows.data();
    if (rng.below(2) == 1) call.token_types = token_types.data();
    reference().embed_rows(call);
    call.y = b.data();
    set().embed_rows(call);
    expect_same(a, b, "embed n " + std::to_string(n) + " type " + std::to_string(static_cast<int>(type)));
  }
}

// The type row comes on top of the rounded sum, so that its bits do not depend on how a set computes that sum.
TEST_P(Rows, TokenTypesAreAddedLast) {
  constexpr std::size_t rows = 3, n = 21;
  Rng rng(5);
  Guarded<float> words(4 * n), position(rows * n), type_rows(2 * n), plain(rows * n), typed(rows * n);
  for (float& v : words) v = rng.uniform(0);
  for (float& v : position) v = rng.uniform(0);
  for (float& v : type_rows) v = rng.uniform(0);
  Guarded<int32_t> ids(rows), places(rows), token_types(rows);
  for (std::size_t t = 0; t < rows; ++t) {
    ids[t] = static_cast<int32_t>(rng.below(4));
    places[t] = static_cast<int32_t>(t);
    token_types[t] = static_cast<int32_t>(t % 2);
  }
  EmbedRows call{
      ids.data(), places.data(), WordType::F32, words.data(), nullptr, position.data(), plain.data(), n, rows, n};
  set().embed_rows(call);
  call.y = typed.data();
  call.type_rows = type_rows.data();
  call.token_types = token_types.data();
  set().embed_rows(call);
  for (std::size_t t = 0; t < rows; ++t) {
    for (std::size_t i = 0; i < n; ++i) EXPECT_EQ(typed[t * n + i], plain[t * n + i] + type_rows[t % 2 * n + i]);
  }
}

TEST_P(Rows, MeanPoolEqualsReference) {
  for (uint64_t seed = 0; seed < 200 && !HasFatalFailure(); ++seed) {
    Rng rng(seed);
    const std::size_t tokens = rng.from(1, 40), n = rng.one_in(10) ? 312 : rng.from(1, 70), ldx = n + rng.below(4);
    Guarded<float> x((tokens - 1) * ldx + n), a(n, 3.0f), b(n, 3.0f);
    for (std::size_t t = 0; t < tokens; ++t) fill_row(rng, x.data() + t * ldx, n);
    reference().mean_pool({x.data(), ldx, tokens, n, a.data()});
    set().mean_pool({x.data(), ldx, tokens, n, b.data()});
    expect_same(a, b, "mean pool n " + std::to_string(n));
  }
}

// Against its definition.
TEST_P(Rows, L2NormalizeDividesByTheLengthOrByEps) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    Rng rng(seed);
    const std::size_t n = rng.from(1, 70);
    Guarded<float> x(n), y(n, 3.0f);
    for (float& v : x) v = rng.uniform(0);
    const float eps = rng.one_in(3) ? 1.0f : 1e-12f;
    set().l2_normalize({x.data(), y.data(), n, eps});
    float lane[16] = {};
    for (std::size_t i = 0; i < n; ++i) lane[i % 16] = std::fma(x[i], x[i], lane[i % 16]);
    for (std::size_t half = 8; half > 0; half /= 2) {
      for (std::size_t i = 0; i < half; ++i) lane[i] += lane[i + half];
    }
    const float divisor = std::max(std::sqrt(lane[0]), eps);
    for (std::size_t i = 0; i < n; ++i) EXPECT_EQ(y[i], x[i] / divisor) << "n " << n << " element " << i;
    set().l2_normalize({x.data(), x.data(), n, eps});
    expect_same(x, y, "in place");
  }
}

TEST_P(Rows, L2NormalizeKeepsZerosAndDoesNotHideNan) {
  std::vector<float> x(20, 0.0f), y(20, 3.0f);
  set().l2_normalize({x.data(), y.data(), x.size(), 1e-12f});
  EXPECT_EQ(y, x);
  x[7] = std::nanf("");
  set().l2_normalize({x.data(), y.data(), x.size(), 1e-12f});
  for (const float v : y) EXPECT_TRUE(std::isnan(v));
}

POTSTILL_FOR_EACH_SET(Rows);

}  // namespace
}  // namespace potstill::kernels::testing
