// Constants of exp_, the activations and the row sums, shared by all kernel sets so that no set can drift.
// Polynomials come from reference/fit.py (our own minimax fits); errors are those of the exact polynomial.
#pragma once

namespace potstill::kernels::constant {

// exp_: x = n ln 2 + r.  ln 2 is split so that n * kLn2High is exact for |n| <= 128 (15 significant bits).
constexpr float kExpMin = -87.0f;
constexpr float kExpMax = 87.0f;
constexpr float kMagic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer, ties to even
constexpr float kLog2E = 0x1.715476p+0f;
constexpr float kLn2High = 0x1.62e4p-1f;
constexpr float kLn2Low = 0x1.7f7d1cp-20f;
// exp(r) = 1 + r + r^2 (E0 + E1 r + E2 r^2 + E3 r^3), relative error 1.1e-7 on |r| <= ln(2) / 2.
constexpr float kExp0 = 0x1.fffdfcp-2f;
constexpr float kExp1 = 0x1.5557aep-3f;
constexpr float kExp2 = 0x1.5729f0p-5f;
constexpr float kExp3 = 0x1.106284p-7f;

// Gelu: tail(c) = 0.5 erfc(c / sqrt 2) = exp(-c^2 / 2) t (G0 + ... + G5 t^5), t = 1 / (1 + p c), 0 <= c <= 12;
// error of c * tail 3.4e-9.
constexpr float kGeluEnd = 12.0f;
constexpr float kGeluP = 0.28f;
constexpr float kGelu0 = 0x1.dfadaap-4f;
constexpr float kGelu1 = 0x1.054a56p-4f;
constexpr float kGelu2 = 0x1.1cdbbap-2f;
constexpr float kGelu3 = -0x1.fcf6b0p-3f;
constexpr float kGelu4 = 0x1.968472p-2f;
constexpr float kGelu5 = -0x1.b88b5ep-4f;

// GeluPoly: x (0.5 + c (P0 + ... + P6 c^12)), c = clamp(x, -3.9, 3.9); absolute error 1.9e-4 (an int8 step of its
// output is about 1e-2), and the bracket is 1 or 0 to 1e-6 at the ends.
constexpr float kGeluPolyEnd = 3.9f;
constexpr float kGeluPoly0 = 0x1.982270p-2f;
constexpr float kGeluPoly1 = -0x1.0bc78ap-4f;
constexpr float kGeluPoly2 = 0x1.2a4db6p-7f;
constexpr float kGeluPoly3 = -0x1.cc9114p-11f;
constexpr float kGeluPoly4 = 0x1.c82cbap-15f;
constexpr float kGeluPoly5 = -0x1.012254p-19f;
constexpr float kGeluPoly6 = 0x1.f0ef92p-26f;

// GeluTanh: x / (1 + exp(x (T0 + T1 x^2))), T0 = -2 sqrt(2 / pi), T1 = 0.044715 T0 (Hendrycks and Gimpel 2016).
constexpr float kGeluTanh0 = -1.5957691216f;
constexpr float kGeluTanh1 = -0.0713548162726f;

constexpr float kTiny = 1e-30f;  // rows whose range is below this quantize to zeros with scale 0

}  // namespace potstill::kernels::constant
