"""Least squares of an initialisation: what a fit over few rows says of rows that it has not seen."""

from __future__ import annotations

import numpy as np
import pytest

from potstill.distil.students.basis import ridge, steady_ridge


def made(rows: int, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs of 48 numbers, nearly all of whose variance is in 4 directions; targets read these, with noise."""
    axes = np.linalg.qr(np.random.default_rng(0).standard_normal((48, 48)))[0]
    random = np.random.default_rng(seed)
    along = random.standard_normal((rows, 48)) * np.where(np.arange(48) < 4, 1.0, 0.01)
    targets = along[:, :2] + noise * random.standard_normal((rows, 2))
    return np.float32(along @ axes.T + 5.0), np.float32(targets)


def test_few_rows_with_noise_are_not_learnt_by_heart() -> None:
    """The weak ridge takes the small directions for signal, and other rows get other answers."""
    inputs, targets = made(64, 0.5, seed=1)
    others, wanted = made(512, 0.0, seed=2)
    missed = {}
    for name, (weight, bias) in {"weak": ridge(inputs, targets, 1e-3), "steady": steady_ridge(inputs, targets)}.items():
        missed[name] = float(((others @ weight.T + bias - wanted) ** 2).mean())
        missed[f"{name} size"] = float(np.linalg.norm(weight))
    assert missed["steady"] < 0.05 < 2 * missed["weak"], missed
    assert missed["steady size"] < 2.0 < missed["weak size"]


@pytest.mark.parametrize("rows", [40, 400])
def test_what_rows_show_without_noise_is_kept(rows: int) -> None:
    """Fewer rows than numbers, and more."""
    inputs, targets = made(rows, 0.0, seed=3)
    weight, bias = steady_ridge(inputs, targets)
    others, wanted = made(512, 0.0, seed=4)
    assert float(((others @ weight.T + bias - wanted) ** 2).mean()) < 0.01


def test_inputs_that_never_vary() -> None:
    """The mean is all that can be said."""
    weight, bias = steady_ridge(np.full((9, 3), 2.0, np.float32), np.float32(np.arange(18).reshape(9, 2)))
    np.testing.assert_allclose(np.full((1, 3), 2.0) @ weight.T + bias, [[8.0, 9.0]], atol=1e-6)
