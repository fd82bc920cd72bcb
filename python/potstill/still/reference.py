"""What the core computes of rows, in numpy: quantization exactly, the rest in numpy's own order of summation.

core_math.py has the core's own order and polynomials. What an operator makes of these is in compile/ops.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from potstill.still import core_math
from potstill.still.activations import gelu, gelu_tanh
from potstill.still.arrays import Array

_SMALLEST = np.float32(1e-30)


def _exact(x: Array, y: Array) -> Array:
    """Products of f32 in float64, where they are exact: the core rounds them to integers in one step."""
    return np.asarray(x.astype(np.float64) * y.astype(np.float64))


def quantize_symmetric(x: Array) -> tuple[Array, Array, Array]:
    """[rows, k] f32 -> int8 [rows, k], scale f32 [rows], zero int32 [rows] (0); kernels.h, QuantizeRows."""
    a = np.abs(x).max(axis=1)
    used = a >= _SMALLEST
    safe = np.where(used, a, np.float32(1.0))
    inverse = np.where(used, np.float32(127.0) / safe, np.float32(0.0))
    q = np.rint(_exact(x, inverse[:, None])).astype(np.int8)
    return q, np.where(used, a / np.float32(127.0), np.float32(0.0)), np.zeros(len(x), np.int32)


def quantize_asymmetric(x: Array) -> tuple[Array, Array, Array]:
    """[rows, k] f32 -> int8 [rows, k], scale f32 [rows], zero int32 [rows]; kernels.h, QuantizeRows."""
    low, high = np.minimum(x.min(axis=1), 0), np.maximum(x.max(axis=1), 0)
    span = high - low
    used = span >= _SMALLEST
    safe = np.where(used, span, np.float32(1.0))
    inverse = np.where(used, np.float32(255.0) / safe, np.float32(0.0))
    zero = np.where(used, np.clip(-128 - np.rint(_exact(low, inverse)), -128, 127), 0).astype(np.int32)
    q = np.clip(np.rint(_exact(x, inverse[:, None])) + zero[:, None], -128, 127).astype(np.int8)
    return q, np.where(used, span / np.float32(255.0), np.float32(0.0)), zero


def layer_norm(x: Array, gamma: Array, beta: Array, eps: float) -> Array:
    """Two-pass layer norm of each row, f32."""
    centred = x - x.mean(axis=1, keepdims=True)
    inverse = np.float32(1.0) / np.sqrt((centred * centred).mean(axis=1, keepdims=True) + np.float32(eps))
    return centred * inverse * gamma + beta


def l2_normalize(x: Array, eps: float) -> Array:
    """Each row divided by its length, or by eps where that is more, f32."""
    return x / np.maximum(np.sqrt((x * x).sum(axis=1, keepdims=True)), np.float32(eps))


def attention(qkv: Array, heads: int) -> Array:
    """[tokens, 3H] -> [tokens, H]; q already holds the 1/sqrt(head size)."""
    tokens, width = qkv.shape[0], qkv.shape[1] // 3
    q, k, v = qkv.reshape(tokens, 3, heads, width // heads).transpose(1, 2, 0, 3)
    context = np.empty_like(q)
    for head in range(heads):  # one at a time: the scores of all heads of a long text take gigabytes
        scores = q[head] @ k[head].T
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        context[head] = (weights @ v[head]) / weights.sum(axis=1, keepdims=True)
    return np.ascontiguousarray(context.transpose(1, 0, 2)).reshape(tokens, width)


QUANTIZERS: dict[str, Callable[[Array], tuple[Array, Array, Array]]] = {
    "symmetric": quantize_symmetric,
    "asymmetric": quantize_asymmetric,
}
EXACT_FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "none": lambda x: x,
    "gelu": core_math.gelu,
    "gelu_poly": core_math.gelu_poly,
    "gelu_tanh": core_math.gelu_tanh,
    "relu": core_math.relu,
    "tanh": core_math.tanh,
}
FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "none": lambda x: x,
    "gelu": gelu,
    "gelu_poly": gelu,
    "gelu_tanh": gelu_tanh,
    "relu": lambda x: np.maximum(x, np.float32(0.0)),
    "tanh": np.tanh,
}
