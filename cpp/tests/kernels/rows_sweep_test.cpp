// Quantization, layer norm, embedding and pooling of every set against the reference: every number of rows up to 13
// with every width up to 80, each operand flush with a guard page on either side, inputs read-only.
#include "kernels/operand.h"

namespace potstill::kernels::testing {
namespace {

class RowsSweep : public EachSet {};

constexpr std::size_t kRows = 13, kWidth = 80;

// Calls body(flush, rows, width, rng) for every width, the number of rows going round: each of the 13 x 80 pairs once.
template <class Body>
void sweep(uint64_t seed, const Body& body) {
  Rng rng(seed);
  for (std::size_t rows = 1; rows <= kRows; ++rows) {
    for (std::size_t width = 1; width <= kWidth; ++width) {
      body(kBothEnds[(rows + width) % 2], rows, width, rng);
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
}

void fill(const Operand<float>& x, Rng& rng) {
  for (float& v : x) v = rng.one_in(30) ? rng.odd() : rng.one_in(500) ? rng.wild() : rng.uniform(1);
}

std::string text(const char* what, std::size_t rows, std::size_t width) {
  return std::string(what) + " rows " + std::to_string(rows) + " width " + std::to_string(width);
}

TEST_P(RowsSweep, Quantize) {
  for (const bool symmetric : {true, false}) {
    sweep(41, [&](Flush flush, std::size_t rows, std::size_t k, Rng& rng) {
      const std::size_t ldq = round_up(k, 16) + 16 * rng.below(2);
      Operand<float> x(flush, rows * k);
      Operand<float> scale_a(flush, rows, 5.0f), scale_b(flush, rows, 5.0f);
      Operand<int8_t> q_a(flush, rows * ldq, 99), q_b(flush, rows * ldq, 99);
      Operand<int32_t> zero_a(flush, rows, 77), zero_b(flush, rows, 77);
      fill(x, rng);
      x.seal();
      const auto run = [&](const KernelTable& table, const Operand<int8_t>& q, const Operand<float>& scale,
                           const Operand<int32_t>& zero) {
        (symmetric ? table.quantize_symmetric : table.quantize_asymmetric)(
            {x.data(), k, q.data(), ldq, scale.data(), symmetric ? nullptr : zero.data(), rows, k});
      };
      run(reference(), q_a, scale_a, zero_a);
      run(set(), q_b, scale_b, zero_b);
      expect_same(scale_a, scale_b, text("scale", rows, k));
      expect_same(zero_a, zero_b, text("zero", rows, k));
      expect_same(q_a, q_b, text("q", rows, k));
    });
  }
}

TEST_P(RowsSweep, LayerNorm) {
  for (const bool quantized : {true, false}) {
    sweep(42, [&](Flush flush, std::size_t rows, std::size_t n, Rng& rng) {
      const std::size_t ldq = round_up(n, 16) + 16 * rng.below(2), ldy = n + rng.below(2);
      Operand<float> x(flush, rows * n), gamma(flush, n), beta(flush, n);
      Operand<float> y_a(flush, (rows - 1) * ldy + n, 3.0f), y_b(flush, (rows - 1) * ldy + n, 3.0f);
      Operand<float> scale_a(flush, rows, 5.0f), scale_b(flush, rows, 5.0f);
      Operand<int8_t> q_a(flush, rows * ldq, 99), q_b(flush, rows * ldq, 99);
      fill(x, rng);
      for (float& v : gamma) v = rng.uniform(1);
      for (float& v : beta) v = rng.uniform(0);
      x.seal(), gamma.seal(), beta.seal();
      const auto run = [&](const KernelTable& table, const Operand<float>& y, const Operand<int8_t>& q,
                           const Operand<float>& scale) {
        table.layer_norm({x.data(), n, gamma.data(), beta.data(), y.data(), ldy, rows, n, 1e-12f,
                          quantized ? q.data() : nullptr, quantized ? ldq : 0, quantized ? scale.data() : nullptr});
      };
      run(reference(), y_a, q_a, scale_a);
      run(set(), y_b, q_b, scale_b);
      expect_same(y_a, y_b, text("layer norm", rows, n));
      expect_same(q_a, q_b, text("layer norm q", rows, n));
      expect_same(scale_a, scale_b, text("layer norm scale", rows, n));
    });
  }
}

// The first and the last row of each table are among those read.
TEST_P(RowsSweep, Embed) {
  constexpr std::size_t kVocabulary = 5, kPositions = 3;
  for (const bool packed : {true, false}) {
    sweep(43, [&](Flush flush, std::size_t rows, std::size_t n, Rng& rng) {
      const std::size_t ldy = n + rng.below(2);
      Operand<float> words(flush, kVocabulary * n), scales(flush, kVocabulary), positions(flush, kPositions * n);
      Operand<int8_t> bytes(flush, kVocabulary * n);
      Operand<int32_t> ids(flush, rows), places(flush, rows);
      Operand<float> y_a(flush, (rows - 1) * ldy + n, 3.0f), y_b(flush, (rows - 1) * ldy + n, 3.0f);
      for (float& v : words) v = rng.uniform(0);
      for (float& v : scales) v = rng.uniform(-5);
      for (float& v : positions) v = rng.uniform(0);
      for (int8_t& v : bytes) v = rng.activation();
      for (std::size_t i = 0; i < rows; ++i) {
        ids[i] = static_cast<int32_t>(i % 2 == 0 ? kVocabulary - 1 : rng.below(2) * rng.below(kVocabulary));
        places[i] = static_cast<int32_t>(i % 3 == 0 ? kPositions - 1 : rng.below(2));
      }
      words.seal(), scales.seal(), positions.seal(), bytes.seal(), ids.seal(), places.seal();
      const auto run = [&](const KernelTable& table, const Operand<float>& y) {
        const void* word = packed ? static_cast<const void*>(bytes.data()) : words.data();
        table.embed_rows({ids.data(), places.data(), packed ? WordType::I8 : WordType::F32, word,
                          packed ? scales.data() : nullptr, positions.data(), y.data(), ldy, rows, n});
      };
      run(reference(), y_a);
      run(set(), y_b);
      expect_same(y_a, y_b, text("embed", rows, n));
    });
  }
}

TEST_P(RowsSweep, MeanPool) {
  sweep(44, [&](Flush flush, std::size_t tokens, std::size_t n, Rng& rng) {
    Operand<float> x(flush, tokens * n), y_a(flush, n, 3.0f), y_b(flush, n, 3.0f);
    fill(x, rng);
    x.seal();
    reference().mean_pool({x.data(), n, tokens, n, y_a.data()});
    set().mean_pool({x.data(), n, tokens, n, y_b.data()});
    expect_same(y_a, y_b, text("mean pool", tokens, n));
  });
}

POTSTILL_FOR_EACH_OTHER_SET(RowsSweep);

}  // namespace
}  // namespace potstill::kernels::testing
