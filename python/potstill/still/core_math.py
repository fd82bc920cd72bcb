"""The float arithmetic of the core in numpy: same polynomials, same order, one rounding for each fused multiply-add.

`fma` multiplies two f32 in float64, which is exact, adds in float64 and rounds to f32. The second rounding differs from
a true fma about once in 2^29 operations, so results equal the core's bit for bit nearly always; tests allow for one
such case. The constants are those of cpp/src/kernels/coefficients.h; a test compares every function with the core.
"""

from __future__ import annotations

import numpy as np

from potstill.still.arrays import Array

F = np.float32
LANES = 16

_EXP = [F(float.fromhex(v)) for v in ("0x1.106284p-7", "0x1.5729f0p-5", "0x1.5557aep-3", "0x1.fffdfcp-2")]
_LOG2_E, _LN2_HIGH, _LN2_LOW = (
    F(float.fromhex(v)) for v in ("0x1.715476p+0", "0x1.62e4p-1", "0x1.7f7d1cp-20")
)  # fmt: skip
_MAGIC = F(12582912.0)

_GELU_P = F(0.28)
_GELU = [
    F(float.fromhex(v))
    for v in (
        "-0x1.b88b5ep-4", "0x1.968472p-2", "-0x1.fcf6b0p-3", "0x1.1cdbbap-2", "0x1.054a56p-4", "0x1.dfadaap-4",
    )
]  # fmt: skip
_GELU_POLY = [
    F(float.fromhex(v))
    for v in (
        "0x1.f0ef92p-26", "-0x1.012254p-19", "0x1.c82cbap-15", "-0x1.cc9114p-11", "0x1.2a4db6p-7", "-0x1.0bc78ap-4",
        "0x1.982270p-2",
    )
]  # fmt: skip


def fma(a: Array, b: Array | np.float32, c: Array | np.float32) -> Array:
    """a * b + c of f32 with one rounding (see the module)."""
    wide = np.asarray(a).astype(np.float64) * np.asarray(b).astype(np.float64)
    return np.asarray(wide + np.asarray(c).astype(np.float64), np.float32)


def exp(x: Array) -> Array:
    """exp with arguments clamped to [-87, 87]."""
    a = np.clip(x, F(-87.0), F(87.0)).astype(F)
    n = fma(a, _LOG2_E, _MAGIC) - _MAGIC
    r = fma(n, -_LN2_LOW, fma(n, -_LN2_HIGH, a))
    e3, e2, e1, e0 = _EXP
    r2 = r * r
    p = fma(fma(fma(r, e3, e2), r2, fma(r, e1, e0)), r2, F(1.0) + r)
    return p * np.ldexp(F(1.0), n.astype(np.int32))


def gelu(x: Array) -> Array:
    a = np.clip(np.abs(x), F(0.0), F(12.0))
    t = F(1.0) / fma(a, _GELU_P, F(1.0))
    g5, g4, g3, g2, g1, g0 = _GELU
    t2 = t * t
    p = fma(fma(fma(t, g5, g4), t2, fma(t, g3, g2)), t2, fma(t, g1, g0))
    tail = (p * t) * exp((a * a) * F(-0.5))
    return fma(-a, tail, relu(x))


def gelu_poly(x: Array) -> Array:
    p6, p5, p4, p3, p2, p1, p0 = _GELU_POLY
    a = np.clip(x, F(-3.9), F(3.9)).astype(F)
    s = a * a
    s2 = s * s
    high = fma(s2, p6, fma(s, p5, p4))
    low = fma(fma(s, p3, p2), s2, fma(s, p1, p0))
    return x * fma(a, fma(high, s2 * s2, low), F(0.5))


def gelu_tanh(x: Array) -> Array:
    inner = fma(x * x, F(-0.0713548162726), F(-1.5957691216))
    return x / (F(1.0) + exp(x * inner))


def tanh(x: Array) -> Array:
    e = exp(np.abs(x) * F(-2.0))
    return np.copysign((F(1.0) - e) / (F(1.0) + e), x)


def relu(x: Array) -> Array:
    return np.where(x < 0, F(0.0), x)


def row_sum(x: Array, *, squares: bool = False) -> Array:
    """Sum over the last axis by 16 lanes and the fixed tree; of squares if asked. [..., n] -> [..., 1]."""
    lanes: Array = np.zeros((*x.shape[:-1], LANES), F)
    for start in range(0, x.shape[-1], LANES):
        part = x[..., start : start + LANES]
        at = lanes[..., : part.shape[-1]]
        lanes[..., : part.shape[-1]] = fma(part, part, at) if squares else at + part
    for half in (8, 4, 2, 1):
        lanes = lanes[..., :half] + lanes[..., half : 2 * half]
    return lanes


def dot(x: Array, w: Array) -> Array:
    """[..., m, k] times [..., n, k] -> [..., m, n]: one fma for each k, ascending."""
    acc: Array = np.zeros((*x.shape[:-1], w.shape[-2]), F)
    for k in range(x.shape[-1]):
        acc = fma(x[..., :, k, None], w[..., None, :, k], acc)
    return acc


def layer_norm(x: Array, gamma: Array, beta: Array, eps: float) -> Array:
    count = F(x.shape[-1])
    centred = x - row_sum(x) / count
    inverse = F(1.0) / np.sqrt(row_sum(centred, squares=True) / count + F(eps))
    return fma(centred * inverse, gamma, beta)


def attention(qkv: Array, heads: int) -> Array:
    """[tokens, 3H] -> [tokens, H]."""
    tokens, width = qkv.shape[0], qkv.shape[1] // 3
    q, k, v = qkv.reshape(tokens, 3, heads, width // heads).transpose(1, 2, 0, 3)
    scores = dot(q, k)
    p = exp(scores - scores.max(axis=2, keepdims=True))
    context = dot(p, v.transpose(0, 2, 1)) * (F(1.0) / row_sum(p))
    return np.ascontiguousarray(context.transpose(1, 0, 2)).reshape(tokens, width)


def l2_normalize(x: Array, eps: float) -> Array:
    return x / np.maximum(np.sqrt(row_sum(x, squares=True)), F(eps))


def mean_pool(x: Array) -> Array:
    """[tokens, n] -> [1, n]: ascending sum, then times 1 / tokens."""
    total: Array = np.zeros_like(x[:1])
    for row in x:
        total = total + row
    return total * (F(1.0) / F(len(x)))
