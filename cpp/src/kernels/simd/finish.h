// The epilogue: takes a tile of sums, gives y = activation(value) + residual.  Include a set's vec.h first.
#pragma once

#include "kernels/simd/math.h"

namespace potstill::kernels {
namespace {

constexpr std::size_t kTileColumns = 16;

// One tile of outputs: `y` and `residual` (or nullptr) point at its first element.
struct Target {
  float* y;
  const float* residual;
  std::size_t ldy, ldr, rows, cols;
};

// value(r, half): outputs 0..7 or 8..15 of row r before the activation, also where they lie past `cols`.
// Both halves of a row run together: the constants of the activation are then loaded once for 16 outputs.
template <Activation A, bool kWhole, class Value>
inline void finish_rows(const Target& t, const Value& value) {
  const std::size_t left_low = lanes_left(t.cols, 0), left_high = lanes_left(t.cols, kLanes);
  for (std::size_t r = 0; r < t.rows; ++r) {
    float* y = t.y + r * t.ldy;
    F low = activate<A>(value(r, 0)), high = activate<A>(value(r, 1));
    const float* residual = t.residual ? t.residual + r * t.ldr : nullptr;
    if constexpr (kWhole) {
      if (residual) {
        low = add(low, load(residual));
        high = add(high, load(residual + kLanes));
      }
      store(y, low);
      store(y + kLanes, high);
    } else {
      if (residual) {
        low = add(low, load_n(residual, left_low));
        if (left_high) high = add(high, load_n(residual + kLanes, left_high));
      }
      store_n(y, low, left_low);
      if (left_high) store_n(y + kLanes, high, left_high);
    }
  }
}

// Two loops: calls for partial vectors would push the constants of the activation out of registers.
template <Activation A, class Value>
inline void finish_as(const Target& t, const Value& value) {
  t.cols == kTileColumns ? finish_rows<A, true>(t, value) : finish_rows<A, false>(t, value);
}

template <class Value>
inline void finish(const Target& t, Activation activation, const Value& value) {
  switch (activation) {
    case Activation::None:
      return finish_as<Activation::None>(t, value);
    case Activation::Gelu:
      return finish_as<Activation::Gelu>(t, value);
    case Activation::GeluPoly:
      return finish_as<Activation::GeluPoly>(t, value);
    case Activation::Relu:
      return finish_as<Activation::Relu>(t, value);
    case Activation::Tanh:
      return finish_as<Activation::Tanh>(t, value);
    case Activation::GeluTanh:
      return finish_as<Activation::GeluTanh>(t, value);
  }
}

}  // namespace
}  // namespace potstill::kernels
