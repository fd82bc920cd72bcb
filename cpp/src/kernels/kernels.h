// The contract between ops and kernels: one table of plain function pointers a kernel set.
//
// NUMERIC SPECIFICATION (cpp/src/kernels/reference/ is its executable form; every other set gives the same bits):
//  * All f32 arithmetic is IEEE binary32, round to nearest even, no flush to zero, no contraction by the compiler;
//    "fma" below is one rounding.
//  * Dot product f32: acc = +0; for k ascending: acc = fma(x[k], w[k], acc); then y = acc + bias (bias 0 when absent).
//  * Dot product int8, int4: exact in int32.  acc' = acc - zero * colsum[n] (int32, zero = 0 for symmetric rows);
//    y = fma(float(acc'), row_scale * col_scale[n], bias[n]).
//  * Epilogue: y = activation(y), then, if there is a residual, y = y + residual.
//  * Row sum: 16 lanes start at +0, lane[i % 16] += x[i] for i ascending (for squares lane = fma(x, x, lane)), then the
//    tree lane[i] += lane[i + h] for h = 8, 4, 2, 1; the sum is lane[0].
//  * Row maximum / minimum: any order (no NaN reaches them, see quantize).
//  * exp_: math.h of reference/ (range reduction by magic-number rounding, two-part ln 2, fixed polynomial with
//    fma, times 2^n built in the exponent field); arguments are clamped to [-87, 87] first, so no denormal appears.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace potstill::kernels {

// Same numbers as potstill.fb.Activation.
enum class Activation : uint8_t { None = 0, Gelu = 1, GeluPoly = 2, Relu = 3, Tanh = 4, GeluTanh = 5 };

// y[m, n] for m in [0, rows), n in [col_begin, col_end).  Column bounds are multiples of 16 except the last, which may
// be n.  `x`, `y`, `residual` are row-major with the given leading dimensions in elements.
struct GemmF32 {
  const float* x;  // [rows, k]
  std::size_t ldx;
  const float* w;         // PackF32N8: [ceil(n/8)][k][8]
  const float* bias;      // [ceil16(n)] or nullptr
  const float* residual;  // [rows, n] or nullptr; may alias y
  std::size_t ldr;
  float* y;
  std::size_t ldy;
  std::size_t rows, n, k, col_begin, col_end;
  Activation activation;
};

// Also the int4 product: int8 rows of `x`, int4 weights, and everything behind the int32 sums the same.
struct GemmI8 {
  const int8_t* x;          // [rows, ceil16(k)], int4: [rows, ceil32(k)]; padding columns zero
  std::size_t ldx;          // multiple of 16
  const float* row_scale;   // [rows]
  const int32_t* row_zero;  // [rows] or nullptr when every row is symmetric
  const int8_t* w;          // PackI8N4K16: [ceil(n/4)][ceil(k/16)][4][16]; int4: PackI4N4K32, see below
  const float* col_scale;   // [ceil16(n)]
  const int32_t* colsum;    // [ceil16(n)]: sum over k of w[n, k]
  const float* bias;        // [ceil16(n)] or nullptr
  const float* residual;
  std::size_t ldr;
  float* y;
  std::size_t ldy;
  std::size_t rows, n, k, col_begin, col_end;
  Activation activation;
};

// PackI4N4K32: [ceil(n/4)][ceil(k/32)][4][16 bytes].  Byte j of a column's 16 holds k = j of that step in its low
// nibble and k = 16 + j in its high one, two's complement in [-7, 7].  Then 32 products of a nibble and an int8 fit an
// int16 (32 * 7 * 128 = 28672), and 32768 of them an int32 with room for the zero point.

// Row-wise int8 quantization; columns k..ldq of q are set to zero (ldq is a multiple of 16).
// Symmetric: a = max|x|; if a < 1e-30: scale = 0, q = 0; else scale = a / 127, inv = 127 / a, q = rne(x * inv).
// Asymmetric: lo = min(0, min x), hi = max(0, max x), r = hi - lo; if r < 1e-30: scale = 0, zero = 0, q = 0; else
//   scale = r / 255, inv = 255 / r, zero = clamp(-128 - rne(lo * inv), -128, 127),
//   q = clamp(rne(x * inv) + zero, -128, 127).
// A row that holds NaN or an infinity: scale = NaN, zero = 0, q = 0 (its outputs are NaN; the session reports them).
// rne(u * v): the exact product to the nearest integer, ties to even: fma(u, v, 1.5 * 2^23) - 1.5 * 2^23.
// With `activated`, the rows quantized are activation(x), which are also written there.
struct QuantizeRows {
  const float* x;  // [rows, k]
  std::size_t ldx;
  int8_t* q;  // [rows, ldq]
  std::size_t ldq;
  float* scale;   // [rows]
  int32_t* zero;  // [rows]; untouched by symmetric
  std::size_t rows, k;
  Activation activation = Activation::None;
  float* activated = nullptr;  // [rows, ldx], may be x, or nullptr: no activation
};

// mean = sum(x) / n; var = sum((x - mean)^2) / n; y = fma((x - mean) * (1 / sqrt(var + eps)), gamma, beta).  y may be
// x.  With `q`, the rows of y are also quantized as quantize_symmetric does.
struct LayerNorm {
  const float* x;
  std::size_t ldx;
  const float* gamma;  // [n]
  const float* beta;   // [n]
  float* y;
  std::size_t ldy;
  std::size_t rows, n;
  float eps;
  int8_t* q = nullptr;  // [rows, ldq] or nullptr
  std::size_t ldq = 0;  // multiple of 16, at least n
  float* q_scale = nullptr;
};

// One sequence, one head: q, k, v point at the head's first column inside the fused rows.
// s[i, j] = dot(q[i], k[j]) (f32 dot product above); p = exp_(s - max_j s); z = row sum of p;
// out[i, c] = (fma chain over ascending j of p[i, j] * v[j, c]) * (1 / z).
struct AttentionHead {
  const float* q;
  const float* k;
  const float* v;
  std::size_t ld;  // leading dimension of q, k, v
  float* out;
  std::size_t ldo;
  std::size_t tokens, head_size;
  float* scratch;  // attention_scratch(tokens, head_size) floats, 64-byte aligned
};

enum class WordType : uint8_t { F32, I8, I4 };

// y[t] = word(id[t]) + position[p[t]].  f32 table: word[id] + position.  int8 and int4 tables: fma(float(q), scale[id],
// position).  With `type_rows`, y[t] = y[t] + type_rows[token_types[t]] after that, one more rounding.
struct EmbedRows {
  const int32_t* ids;        // [rows], already checked against the table
  const int32_t* positions;  // [rows]
  WordType type;
  const void* word;         // row-major [vocab, n] float or int8_t; I4: [vocab][ceil(n/32)][16 bytes], nibbles as above
  const float* word_scale;  // [vocab]; not read when F32
  const float* position;    // [max_tokens, n]
  float* y;                 // [rows, n]
  std::size_t ldy;
  std::size_t rows, n;
  const int32_t* token_types = nullptr;  // [rows], already checked against type_rows; nullptr: all 0
  const float* type_rows = nullptr;      // [types, n] or nullptr
};

// y[c] = (ascending sum over tokens of x[t, c]) * (1 / tokens).
struct MeanPool {
  const float* x;
  std::size_t ldx;
  std::size_t tokens, n;
  float* y;
};

// y[i] = x[i] / max(sqrt(row sum of squares of x), eps); y may be x.  One vector a text: no set has a faster one.
struct L2Normalize {
  const float* x;
  float* y;
  std::size_t n;
  float eps;
};

// The kernels of one set: a function pointer a row of kernels.def, called by the row's name.
template <class Call>
using Kernel = void (*)(const Call&);
struct KernelTable {
  const char* name = nullptr;  // of the set
#define POTSTILL_KERNEL(kernel, Call) Kernel<Call> kernel = nullptr;
#include "kernels/kernels.def"
};

// Floats of scratch one attention_head call may use, for every kernel set.
template <typename Size>
constexpr Size round_up(Size v, std::type_identity_t<Size> to) {
  return (v + to - 1) / to * to;
}
template <typename Size>  // of 64 bits where no limit of the sizes is known yet
constexpr Size attention_scratch(Size tokens, std::type_identity_t<Size> head_size) {
  // k transposed [head_size][tokens16], v padded [tokens][head16], scores for a block of 16 rows [16][tokens16]
  return round_up(tokens, 16) * (head_size + 16) + tokens * round_up(head_size, 16);
}

}  // namespace potstill::kernels
