// The int8 product of the x86 sets: loop order and epilogue.  The set gives `Dot`:
//   kRows    rows a tile holds
//   kOffset  what the set adds to each activation; the tile's sums then hold kOffset * colsum more
//   kStep    k columns of a step, kStepBytes bytes of a panel's step
//   run(rows, x, ldx, w, steps, panels, tile)  int32 sums of rows x (4 * panels) columns into tile [kRows][16]
// Include a set's vec.h first.
#pragma once

#include "kernels/simd/finish.h"
#include "kernels/simd/product.h"

namespace potstill::kernels {
namespace {

constexpr std::size_t kTileColumns = 16;

// Scales, sums and bias of 16 columns.
template <class Dot>
struct Columns {
  W16 colsum, offset;  // offset: what the set's kOffset adds to a sum
  V16 scale, bias;

  explicit Columns(const GemmI8& g, std::size_t n)
      : colsum(each<W, kVectors16>([&](auto i) POTSTILL_INLINE { return load_i(g.colsum + n + i * kLanes); })),
        offset(each<W, kVectors16>(
            [&](auto i) POTSTILL_INLINE { return mul_i(splat_i(Dot::kOffset), load_i(g.colsum + n + i * kLanes)); })),
        scale(load16(g.col_scale + n)),
        bias(g.bias ? load16(g.bias + n) : splat_as<V16>(0.0f)) {}

  // R rows of outputs before the activation, from row `m` of the matrix and row 0 of `tile`.
  template <std::size_t R>
  POTSTILL_INLINE Vs<R * kVectors16> values(const GemmI8& g, std::size_t m, const int32_t* tile) const {
    return each<V, R * kVectors16>([&](auto i) POTSTILL_INLINE {
      constexpr std::size_t r = i / kVectors16, c = i % kVectors16;
      W sum = load_i(tile + r * kTileColumns + c * kLanes);
      if constexpr (Dot::kOffset != 0) sum = sub_i(sum, offset.v[c]);
      if (g.row_zero) sum = sub_i(sum, mul_i(splat_i(g.row_zero[m + r]), colsum.v[c]));
      return fma(to_f(sum), mul(splat(g.row_scale[m + r]), scale.v[c]), bias.v[c]);
    });
  }
};

// Asks for the weights of the next columns while the rows of these are worked on: a part of the lines a tile.
class Prefetch {
 public:
  Prefetch(const int8_t* next, std::size_t bytes, std::size_t tiles)
      : next_(next), end_(next + bytes), share_((bytes / 64 + tiles - 1) / tiles) {}
  void some() {
    for (std::size_t i = 0; i < share_ && next_ < end_; ++i, next_ += 64) __builtin_prefetch(next_, 0, 2);
  }

 private:
  const int8_t* next_;
  const int8_t* end_;
  std::size_t share_;
};

template <class Dot>
inline void gemm_i8_simd(const GemmI8& g) {
  const std::size_t steps = round_up(g.k, Dot::kStep) / Dot::kStep, panel = steps * Dot::kStepBytes;
  const std::size_t tiles = (g.rows + Dot::kRows - 1) / Dot::kRows;
  alignas(64) int32_t tile[Dot::kRows * kTileColumns] = {};  // panels a short block lacks stay zero
  for (std::size_t n = g.col_begin; n < g.col_end; n += kTileColumns) {
    const std::size_t cols = smaller(kTileColumns, g.col_end - n), panels = (cols + 3) / 4;
    const int8_t* w = g.w + n / 4 * panel;
    const std::size_t ahead = smaller(kTileColumns, g.col_end - n - cols);
    Prefetch prefetch(w + panels * panel, (ahead + 3) / 4 * panel, tiles);
    const Columns<Dot> columns(g, n);
    for (std::size_t m = 0; m < g.rows; m += Dot::kRows) {
      const std::size_t rows = smaller(Dot::kRows, g.rows - m);
      prefetch.some();
      Dot::run(rows, g.x + m * g.ldx, g.ldx, w, steps, panels, tile);
      const Target target{g.y + m * g.ldy + n, g.residual ? g.residual + m * g.ldr + n : nullptr, g.ldy, g.ldr, cols};
      with_activation(g.activation, [&](auto a) POTSTILL_INLINE {
        constexpr Activation A = static_cast<Activation>(a.value);
        std::size_t r = 0;
        for (; r + kEpilogueRows <= rows; r += kEpilogueRows) {
          finish<A, kEpilogueRows, kVectors16>(
              target, r, columns.template values<kEpilogueRows>(g, m + r, tile + r * kTileColumns));
        }
        if constexpr (kEpilogueRows > 1) {
          for (; r < rows; ++r) {
            finish<A, 1, kVectors16>(target, r, columns.template values<1>(g, m + r, tile + r * kTileColumns));
          }
        }
      });
    }
  }
}

}  // namespace
}  // namespace potstill::kernels
