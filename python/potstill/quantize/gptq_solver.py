"""int4 weights rounded column by column, each column's error made good by those not rounded yet.

GPTQ (Frantar, Ashkboos, Hoefler and Alistarh, "GPTQ: accurate post-training quantization for generative pre-trained
transformers", 2023): with the Gram matrix H of a layer's inputs, the error of a rounded column is spread over the
later columns so that the layer's outputs change least; the spread is read off the Cholesky factor of the inverse of H.
Columns of large inputs go first, while there are many left to make up for them.

By the time a layer runs, its inputs come from layers that were rounded before it. So the weights are first moved to
those which, on the inputs as they now are, give the outputs that the fp32 layer gave on its own inputs (least squares,
held to the old weights by the same damping): the asymmetric calibration of GPTAQ (Li et al., 2025).

Demo student of 3 layers of 384, all in int4, calibrated on 1,024 training texts: the Kullback-Leibler divergence from
fp32 on 2,113 other texts is 17.2 millinats with nearest rounding, 9.7 with GPTQ, 5.7 with the moved weights. With int8
layers and the same int4 token table it is 5.4: what is left is the table's. Labels equal to fp32's: 97.1, 97.9, 98.6 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from potstill.still.arrays import Array
from potstill.still.int4 import LARGEST, quantize_rows_int4
from potstill.still.schemes import SMALLEST

# Added to the diagonal of H, as a share of its mean: the value of the paper.
DAMPING = 0.01
# Scales tried for a row, as multiples of the one that is best without compensation.
_FACTORS = (0.9, 1.0, 1.1)
# Columns whose errors are passed on to the rest of the matrix in one product.
_BLOCK = 128


@dataclass(frozen=True)
class Statistics:
    """Means over a layer's calibration inputs, f64.

    Attributes:
        gram: ``[k, k]``, of the products of two inputs as they are with the layers before rounded.
        cross: ``[k, k]``, of the products of an input of the fp32 student (rows) and one of these (columns).
        mean, plain_mean: ``[k]``, of these and of the fp32 student's inputs.
    """

    gram: Array
    cross: Array
    mean: Array
    plain_mean: Array


def round_layer(weight: Array, statistics: Statistics) -> tuple[Array, Array, Array]:
    """int4 weights of a layer, and what its bias has to gain.

    Args:
        weight: ``[n, k]`` f32, finite.
        statistics: of its inputs.

    Returns:
        int8 ``[n, k]`` in [-7, 7], f32 scales ``[n]`` (weight ~ q * scale), and f32 ``[n]`` to add to the bias, which
        keeps the outputs' means.
    """
    gram, wide = statistics.gram, weight.astype(np.float64)
    if not float(np.trace(gram)) > 0.0:  # inputs that are always zero: no column matters more than another
        gram = np.eye(len(gram))
    damping = DAMPING * float(np.trace(gram)) / len(gram)
    held = gram + damping * np.eye(len(gram))
    aimed = np.linalg.solve(held, (wide @ statistics.cross + damping * wide).T).T
    scales = quantize_rows_int4(aimed.astype(np.float32), np.diag(gram))[1].astype(np.float64)
    order = np.argsort(-np.diag(held), kind="stable")
    factor = np.linalg.cholesky(np.linalg.inv(held[order][:, order])).T
    best_q, best_scale, least = np.zeros(wide.shape), np.zeros(len(wide)), np.full(len(wide), np.inf)
    for share in _FACTORS:
        q = np.empty_like(wide)
        q[:, order] = _compensated(aimed[:, order], scales * share, factor)
        # The scale that then fits best: least squares in the same metric.
        weighted = q @ gram
        square = (weighted * q).sum(axis=1)
        scale = np.where(square > 0, (weighted * aimed).sum(axis=1) / np.where(square > 0, square, 1.0), 0.0)
        scale = np.where(scale < SMALLEST, 0.0, scale)
        left = aimed - q * scale[:, None]
        error = ((left @ gram) * left).sum(axis=1)
        better = error < least
        best_q[better], best_scale[better], least[better] = q[better], scale[better], error[better]
    best_q[best_scale == 0] = 0
    scale32 = best_scale.astype(np.float32)
    shift = wide @ statistics.plain_mean - (best_q * scale32[:, None]) @ statistics.mean
    return best_q.astype(np.int8), scale32, shift.astype(np.float32)


def _compensated(weight: Array, scale: Array, factor: Array) -> Array:
    """Whole numbers ``[n, k]``; ``factor`` is the upper Cholesky factor of the inverse Gram matrix."""
    left, q = weight.copy(), np.zeros_like(weight)
    inverse = np.where(scale > 0, 1.0 / np.where(scale > 0, scale, 1.0), 0.0)
    columns = weight.shape[1]
    for start in range(0, columns, _BLOCK):
        end = min(start + _BLOCK, columns)
        errors = np.zeros((len(weight), end - start))
        for column in range(start, end):
            rounded = np.clip(np.rint(left[:, column] * inverse), -LARGEST, LARGEST)
            q[:, column] = rounded
            error = (left[:, column] - rounded * scale) / factor[column, column]
            left[:, column + 1 : end] -= np.outer(error, factor[column, column + 1 : end])
            errors[:, column - start] = error
        left[:, end:] -= errors @ factor[start:end, end:]
    return q
