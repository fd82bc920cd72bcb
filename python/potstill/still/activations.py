"""The activation functions that a Linear op knows, in float64."""

from __future__ import annotations

import functools
import math

import numpy as np

from potstill.still.arrays import Array

# erf from the standard library on a grid, cubic Hermite between: h^4 / 384 * max of the 4th derivative < 5e-13, and
# no scipy needed.
_ERF_STEPS = 512
_ERF_END = 6  # erf(6) = 1 - 2e-17


@functools.cache
def _erf_table() -> tuple[Array, Array]:
    grid = np.arange(_ERF_END * _ERF_STEPS + 2) / _ERF_STEPS
    values = np.array([math.erf(v) for v in grid])
    return values, 2.0 / np.sqrt(np.pi) * np.exp(-grid * grid) / _ERF_STEPS


def erf(x: Array) -> Array:
    """The error function in float64, within 1e-12; NaN stays NaN."""
    values, slopes = _erf_table()
    at = np.minimum(np.abs(np.asarray(x, np.float64)), _ERF_END) * _ERF_STEPS
    i = np.nan_to_num(at).astype(np.int64)
    t = at - i
    rest = 1.0 - t
    left = rest * rest * ((1.0 + 2.0 * t) * values[i] + t * slopes[i])
    right = t * t * ((1.0 + 2.0 * rest) * values[i + 1] - rest * slopes[i + 1])
    return np.copysign(left + right, x)


def gelu(x: Array) -> Array:
    return 0.5 * x * (1.0 + erf(x / np.sqrt(2.0)))


def gelu_tanh(x: Array) -> Array:
    return 0.5 * x * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (x + 0.044715 * x**3)))
