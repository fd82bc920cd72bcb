"""Fits the polynomial coefficients of reference/math.h and prints them as C++ float literals with their errors.

Run with Python >= 3.11 and numpy: `python fit.py`.  Method: Lawson's iteration (weighted least squares whose weights
are multiplied by the error until the error is level), in float64 on Chebyshev nodes; the coefficients are then rounded
to float32.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def lawson(basis: Array, target: Array, weight: Array, steps: int = 4000) -> Array:
    """Coefficients c that minimise max |weight * (basis @ c - target)|; basis [points, coefficients]."""
    share = np.full(len(target), 1.0 / len(target))
    best, best_error = np.zeros(basis.shape[1]), math.inf
    for _ in range(steps):
        root = np.sqrt(share) * weight
        scale = np.abs(basis * root[:, None]).max(axis=0)
        c = np.linalg.lstsq(basis * root[:, None] / scale, target * root, rcond=None)[0] / scale
        error = np.abs(weight * (basis @ c - target))
        if error.max() < best_error:
            best, best_error = c, float(error.max())
        share = share * (error + 1e-3 * error.max())
        share /= share.sum()
    return best


def nodes(low: float, high: float, count: int = 2001) -> Array:
    """Chebyshev nodes of [low, high], ascending, ends included."""
    unit = -np.cos(np.pi * np.arange(count) / (count - 1))
    return np.asarray(0.5 * (low + high) + 0.5 * (high - low) * unit)


def show(name: str, c: Array, error: float) -> None:
    """Prints one list of coefficients, lowest power first."""
    print(f"{name}: max error {error:.3g}")
    for value in np.asarray(c, dtype=np.float32):
        print(f"  {value!s}f  ({float(value).hex()})")


def fit_exp() -> None:
    """exp(r) = 1 + r + r^2 * P(r) on |r| <= ln(2) / 2, relative error; 4 coefficients."""
    r = nodes(-0.5 * math.log(2) - 1e-6, 0.5 * math.log(2) + 1e-6)
    basis = np.stack([r ** (k + 2) for k in range(4)], axis=1)
    c = lawson(basis, np.exp(r) - 1 - r, np.exp(-r))
    show("exp", c, float(np.abs((basis @ c + 1 + r) * np.exp(-r) - 1).max()))


def fit_gelu_tail() -> None:
    """0.5 * erfc(c / sqrt 2) = t * P(t) * exp(-c^2 / 2), t = 1 / (1 + p c), on 0 <= c <= 12; 6 coefficients.

    The error that counts is that of c times the function; p is searched in steps of 0.01.
    """
    c = np.concatenate([nodes(0.0, 6.0), nodes(6.0, 12.0, 200)])
    tail = np.array([0.5 * math.erfc(v / math.sqrt(2)) for v in c])
    gauss = np.exp(-0.5 * c * c)
    best: tuple[float, float, Array] = (math.inf, 0.0, np.zeros(6))
    for p in np.arange(0.18, 0.42, 0.01):
        t = 1 / (1 + p * c)
        basis = np.stack([t ** (k + 1) for k in range(6)], axis=1)
        weight = np.maximum(c, 0.05) * gauss
        q = lawson(basis, tail / gauss, weight, 300)
        error = float(np.abs(weight * (basis @ q - tail / gauss)).max())
        if error < best[0]:
            best = (error, float(p), q)
    print(f"gelu tail: p = {best[1]:.2f}")
    show("gelu tail", best[2], best[0])


def fit_gelu_poly() -> None:
    """Phi(c) - 0.5 = c * P(c^2) on 0 <= c <= 3.9 with the end tied to 0.5, error of x * that; 7 coefficients."""
    end = 3.9
    c = nodes(0.0, end)
    target = np.array([0.5 * math.erf(v / math.sqrt(2)) for v in c])
    basis = np.stack([c ** (2 * k + 1) for k in range(7)], axis=1)
    # A heavy extra point makes P(end) exact: beyond it the output is x * 1 or x * 0, however large x is.
    basis = np.concatenate([basis, basis[-1:]])
    target = np.concatenate([target, [0.5]])
    weight = np.concatenate([c, [1e4]])
    q = lawson(basis, target, weight)
    show("gelu poly", q, float(np.abs(weight * (basis @ q - target))[:-1].max()))


if __name__ == "__main__":
    fit_exp()
    fit_gelu_tail()
    fit_gelu_poly()
