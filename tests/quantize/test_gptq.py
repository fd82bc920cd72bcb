"""Error-compensating int4: the grid, its gain over nearest rounding, inputs that give it nothing to work with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from potstill.quantize.gptq_solver import Statistics, round_layer
from potstill.still.int4 import quantize_rows_int4


def inputs(rows: int, width: int, seed: int = 0) -> Any:
    """Correlated, with a mean and columns of very different size, as a layer's inputs are."""
    random = np.random.default_rng(seed)
    mixing = random.normal(size=(width, width)) * np.exp(random.normal(size=width))
    return random.normal(size=(rows, width)) @ mixing / width**0.5 + random.normal(size=width)


def statistics(now: Any, plain: Any | None = None) -> Statistics:
    plain = now if plain is None else plain
    rows = len(now)
    return Statistics(now.T @ now / rows, plain.T @ now / rows, now.mean(axis=0), plain.mean(axis=0))


def weights(outputs: int, width: int, seed: int = 1) -> Any:
    return np.random.default_rng(seed).normal(size=(outputs, width)).astype(np.float32)


def test_outputs_are_nearer_than_with_nearest_rounding() -> None:
    x, w = inputs(2000, 48), weights(24, 48)
    unseen = inputs(4000, 48)[2000:]
    q, scale, shift = round_layer(w, statistics(x))
    assert q.dtype == np.int8 and scale.dtype == shift.dtype == np.float32
    assert np.abs(q).max() == 7 and (scale > 0).all()
    nearest_q, nearest_scale = quantize_rows_int4(w, np.diag(x.T @ x))
    wanted = unseen @ w.T
    ours = unseen @ (q * scale[:, None]).T + shift
    nearest = unseen @ (nearest_q * nearest_scale[:, None]).T
    assert ((ours - wanted) ** 2).mean() < 0.75 * ((nearest - wanted) ** 2).mean()


def test_errors_of_earlier_layers_are_made_good() -> None:
    plain, w = inputs(3000, 32), weights(16, 32)
    # What rounding before this layer did: a little noise, a smaller range and another mean.
    now = 0.9 * plain + 0.05 * np.random.default_rng(3).normal(size=plain.shape) + 0.3
    wanted = plain @ w.T

    def error(found: tuple[Any, Any, Any]) -> float:
        q, scale, shift = found
        return float(((now @ (q * scale[:, None]).T + shift - wanted) ** 2).mean())

    assert error(round_layer(w, statistics(now, plain))) < 0.5 * error(round_layer(w, statistics(now)))


def test_the_shift_keeps_the_means() -> None:
    x, w = inputs(500, 20), weights(8, 20)
    q, scale, shift = round_layer(w, statistics(x))
    difference = x @ (q * scale[:, None]).T + shift - x @ w.T
    assert np.abs(difference.mean(axis=0)).max() < 1e-5


@pytest.mark.parametrize("what", ["zero inputs", "one input", "equal columns", "zero weights"])
def test_inputs_that_say_little(what: str) -> None:
    x, w = inputs(1 if what == "one input" else 50, 12), weights(6, 12)
    if what == "zero inputs":
        x = np.zeros_like(x)
    if what == "equal columns":
        x = np.repeat(x[:, :1], 12, axis=1)
    if what == "zero weights":
        w[2] = 0.0
    q, scale, shift = round_layer(w, statistics(x))
    assert np.isfinite(scale).all() and np.isfinite(shift).all() and np.abs(q).max() <= 7
    if what == "zero weights":
        assert not q[2].any() and scale[2] == 0 and np.delete(q, 2, axis=0).any(axis=1).all()


def test_rows_do_not_depend_on_each_other() -> None:
    x, w = inputs(300, 130), weights(9, 130)  # more columns than a block
    together = round_layer(w, statistics(x))
    alone = round_layer(w[4:5], statistics(x))
    assert (together[0][4] == alone[0][0]).mean() > 0.99  # sums of another order may tip a value
    assert together[1][4] == pytest.approx(alone[1][0], rel=1e-3)
