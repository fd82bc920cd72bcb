"""int4 rows: range, exact values, less error than any plain scale, and columns that count more come out better."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from potstill.still.int4 import quantize_rows_int4

Array = NDArray[Any]


def error(weight: Array, q: Array, scale: Array, importance: Array | float = 1.0) -> Array:
    """Weighted squared error of each row."""
    difference = weight.astype(np.float64) - q * scale[:, None].astype(np.float64)
    return np.asarray((difference * difference * importance).sum(axis=1))


def heavy_rows(seed: int = 0) -> Array:
    """Rows of very different size, some with outliers."""
    random = np.random.default_rng(seed)
    weight = random.standard_t(4, (60, 312)) * np.exp(random.normal(0, 3, (60, 1)))
    return weight.astype(np.float32)


def plain(weight: Array, divisor: float) -> tuple[Array, Array]:
    scale = np.abs(weight).max(axis=1) / np.float32(divisor)
    return np.clip(np.rint(weight / scale[:, None]), -7, 7), scale


def test_types_and_range() -> None:
    q, scale = quantize_rows_int4(heavy_rows())
    assert q.dtype == np.int8 and scale.dtype == np.float32
    assert q.min() == -7 and q.max() == 7
    assert (scale > 0).all()


def test_no_plain_scale_has_less_error() -> None:
    weight = heavy_rows()
    q, scale = quantize_rows_int4(weight)
    ours = error(weight, q, scale)
    for divisor in (7.0, 8.0, 9.5, 11.0, 14.0, 18.0):
        assert (ours <= error(weight, *plain(weight, divisor)) * (1 + 1e-6)).all(), divisor
    # Against absmax / 7 the clipping must pay.
    assert ours.sum() < 0.9 * error(weight, *plain(weight, 7.0)).sum()
    assert np.median(ours / error(weight, *plain(weight, 7.0))) < 0.75


def test_the_scale_is_the_best_one_for_its_values() -> None:
    weight = heavy_rows()
    q, scale = quantize_rows_int4(weight)
    ours = error(weight, q, scale)
    for factor in (0.99, 0.999, 1.001, 1.01):
        assert (ours <= error(weight, q, scale * np.float32(factor))).all()


def test_columns_that_count_more_come_out_better() -> None:
    weight = heavy_rows()
    importance = np.where(np.arange(312) % 4 == 0, 25.0, 1.0)
    equal, weighted = quantize_rows_int4(weight), quantize_rows_int4(weight, importance)
    assert (error(weight, *weighted, importance) <= error(weight, *equal, importance) * 1.02).all()
    assert error(weight, *weighted, importance).sum() < 0.99 * error(weight, *equal, importance).sum()


def test_exact_values_stay_exact() -> None:
    weight = np.array([[7.0, -7.0, 1.0, 0.0, -3.0], [0.5, -0.25, 0.0, 0.5, 0.25], [3, 2, 1, 0, 0]], np.float32)
    q, scale = quantize_rows_int4(weight)
    np.testing.assert_array_equal(q[0], [7, -7, 1, 0, -3])
    np.testing.assert_allclose(q * scale[:, None], weight, rtol=1e-6)


def test_empty_rows_have_scale_zero() -> None:
    q, scale = quantize_rows_int4(np.array([[0.0, 0.0], [1e-38, -1e-39], [1e-20, 2e-20]], np.float32))
    assert not q[:2].any() and not scale[:2].any()
    assert scale[2] > 0


def test_columns_without_importance_still_count() -> None:
    weight = np.array([[0.0, 3.0], [1.0, 0.0]], np.float32)
    for importance in (np.array([1.0, 0.0]), np.zeros(2)):
        q, scale = quantize_rows_int4(weight, importance)
        np.testing.assert_allclose(q * scale[:, None], weight, rtol=1e-6)


def test_rows_do_not_depend_on_their_neighbours() -> None:
    weight = np.concatenate([heavy_rows(seed) for seed in range(20)])  # more than one part
    whole, scales = quantize_rows_int4(weight)
    for row in (0, 1023, 1024, 1199):
        q, scale = quantize_rows_int4(weight[row : row + 1])
        np.testing.assert_array_equal(q[0], whole[row])
        assert scale[0] == scales[row]
