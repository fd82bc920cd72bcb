// One number over the output bits of all kernels.  It is the same constant on every machine, so each platform alone
// proves that it computes what all the others do.  It changes only when the numeric specification does.
#include "kernels/support.h"

namespace potstill::kernels::testing {
namespace {

constexpr uint64_t kGolden = 0xa5be5775f31f7b16u;
constexpr uint64_t kGoldenInt4 = 0xf40e5cbd778bc569u;

class Hash : public EachSet {};

struct Fnv {
  uint64_t value = 0xcbf29ce484222325u;

  void byte(uint32_t b) { value = (value ^ (b & 0xff)) * 0x100000001b3u; }
  void word(uint32_t w) {
    for (int i = 0; i < 32; i += 8) byte(w >> i);
  }
  void floats(Guarded<float>& x) {
    for (float v : x) word(bits(v));
  }
};

TEST_P(Hash, EqualsEveryOtherMachine) {
  Rng rng(2024);
  Fnv hash;
  constexpr std::size_t rows = 13, k = 104, n = 78, k16 = 112, n16 = 80;
  Guarded<float> x(rows * k), w_f32(n16 * k), bias(n16), residual(rows * n), y(rows * n), row_scale(rows),
      col_scale(n16);
  Guarded<int8_t> q(rows * k16), w_i8(n16 * k16);
  Guarded<int32_t> row_zero(rows), colsum(n16);
  for (float& v : x) v = rng.uniform(2);
  for (float& v : w_f32) v = rng.uniform(-2);
  for (float& v : residual) v = rng.uniform(0);
  for (std::size_t c = 0; c < n; ++c) {
    bias[c] = rng.uniform(1);
    col_scale[c] = std::fabs(rng.uniform(-7));
    for (std::size_t i = 0; i < k; ++i) {
      const int8_t value = rng.weight();
      w_i8[(c / 4) * k16 * 4 + (i / 16) * 64 + (c % 4) * 16 + i % 16] = value;
      colsum[c] += value;
    }
  }
  for (bool symmetric : {true, false}) {
    const QuantizeRows rows_in{x.data(), k, q.data(), k16, row_scale.data(), row_zero.data(), rows, k};
    symmetric ? set().quantize_symmetric(rows_in) : set().quantize_asymmetric(rows_in);
    for (int8_t v : q) hash.byte(static_cast<uint8_t>(v));
    for (int32_t v : row_zero) hash.word(static_cast<uint32_t>(v));
    hash.floats(row_scale);
    for (Activation activation : kActivations) {
      set().gemm_i8({q.data(), k16, row_scale.data(), symmetric ? nullptr : row_zero.data(), w_i8.data(),
                     col_scale.data(), colsum.data(), bias.data(), residual.data(), n, y.data(), n, rows, n, k, 0, n,
                     activation});
      hash.floats(y);
    }
  }
  for (Activation activation : kActivations) {
    set().gemm_f32({x.data(), k, w_f32.data(), bias.data(), nullptr, 0, y.data(), n, rows, n, k, 0, n, activation});
    hash.floats(y);
  }
  Guarded<float> gamma(k), beta(k), normal(rows * k), pooled(k), heads(rows * 26), scratch(attention_scratch(rows, 26));
  for (float& v : gamma) v = rng.uniform(1);
  for (float& v : beta) v = rng.uniform(0);
  set().layer_norm({x.data(), k, gamma.data(), beta.data(), normal.data(), k, rows, k, 1e-12f});
  hash.floats(normal);
  set().mean_pool({normal.data(), k, rows, k, pooled.data()});
  hash.floats(pooled);
  set().attention_head({x.data(), x.data() + 26, x.data() + 52, k, heads.data(), 26, rows, 26, scratch.data()});
  hash.floats(heads);
  Guarded<int32_t> ids(rows), positions(rows);
  for (int32_t& v : ids) v = static_cast<int32_t>(rng.below(rows));
  for (int32_t& v : positions) v = static_cast<int32_t>(rng.below(rows));
  set().embed_rows(
      {ids.data(), positions.data(), WordType::I8, q.data(), row_scale.data(), x.data(), normal.data(), k, rows, k});
  hash.floats(normal);
  set().embed_rows(
      {ids.data(), positions.data(), WordType::F32, x.data(), nullptr, x.data(), normal.data(), k, rows, k});
  hash.floats(normal);
  EXPECT_EQ(hash.value, kGolden) << std::hex << "0x" << hash.value;
}

TEST_P(Hash, Int4EqualsEveryOtherMachine) {
  Rng rng(2025);
  Fnv hash;
  constexpr std::size_t rows = 13, k = 105, n = 78, k32 = 128, n16 = 80;
  Guarded<float> x(rows * k), bias(n16), residual(rows * n), y(rows * n), row_scale(rows), col_scale(n16);
  Guarded<int8_t> q(rows * k32), w(n16 * k32 / 2);
  Guarded<int32_t> row_zero(rows), colsum(n16);
  for (float& v : x) v = rng.uniform(2);
  for (float& v : residual) v = rng.uniform(0);
  for (std::size_t c = 0; c < n; ++c) {
    bias[c] = rng.uniform(1);
    col_scale[c] = std::fabs(rng.uniform(-4));
    for (std::size_t i = 0; i < k; ++i) {
      const int value = static_cast<int>(rng.below(15)) - 7;
      int8_t& byte = w[(c / 4 * (k32 / 32) + i / 32) * 64 + c % 4 * 16 + i % 16];
      byte = static_cast<int8_t>(static_cast<uint8_t>(byte) | ((value & 15) << (i % 32 < 16 ? 0 : 4)));
      colsum[c] += value;
    }
  }
  for (bool symmetric : {true, false}) {
    const QuantizeRows rows_in{x.data(), k, q.data(), k32, row_scale.data(), row_zero.data(), rows, k};
    symmetric ? set().quantize_symmetric(rows_in) : set().quantize_asymmetric(rows_in);
    for (Activation activation : kActivations) {
      set().gemm_i4({q.data(), k32, row_scale.data(), symmetric ? nullptr : row_zero.data(), w.data(), col_scale.data(),
                     colsum.data(), bias.data(), residual.data(), n, y.data(), n, rows, n, k, 0, n, activation});
      hash.floats(y);
    }
  }
  Guarded<int32_t> ids(rows), positions(rows);
  Guarded<float> embedded(rows * k);
  for (int32_t& v : ids) v = static_cast<int32_t>(rng.below(rows));
  for (int32_t& v : positions) v = static_cast<int32_t>(rng.below(rows));
  set().embed_rows(
      {ids.data(), positions.data(), WordType::I4, w.data(), row_scale.data(), x.data(), embedded.data(), k, rows, k});
  hash.floats(embedded);
  EXPECT_EQ(hash.value, kGoldenInt4) << std::hex << "0x" << hash.value;
}

POTSTILL_FOR_EACH_SET(Hash);

}  // namespace
}  // namespace potstill::kernels::testing
