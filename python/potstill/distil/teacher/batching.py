"""Does the teacher answer a text alike whatever it is batched with? Asked before any work is done."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import nn

from potstill.errors import TrainError
from potstill.models.evaluation import outputs
from potstill.runtime.rows import TokenRows

# Rows looked at for a short and a long one.
_ROWS = 256
# Rounding of f32 in a batch of another shape, of the largest output: 1e-6 in models of 2 layers, 1e-5 in deep ones, and
# 1e-2 where a head's large weights all but cancel each other.
_TOLERANCE = 3e-2


def check_batching(model: nn.Module, rows: TokenRows, where: str) -> None:
    """Run the shortest and the longest row alone, and the two in one batch, in which the short one is padded.

    Args:
        model: the teacher, head included; its mode is put back.
        rows: training rows in its ids.
        where: names the teacher.

    Raises:
        TrainError: the short row's answer differs: the model reads padding, as XLNet's own head does.
    """
    some = rows[: min(len(rows), _ROWS)]
    if not len(some):
        return
    lengths = np.asarray(some.lengths)
    pair = some.take([int(lengths.argmin()), int(lengths.argmax())])
    together, alone = outputs(model, pair), outputs(model, pair[:1])
    for both, one in zip(together, alone, strict=True):
        error, scale = float(np.nanmax(np.abs(both[: len(one)] - one), initial=0.0)), _largest(one)
        if error > _TOLERANCE * scale:
            raise TrainError(
                "T016",
                f"the teacher's answer to a text changes by {100 * error / scale:.1f} % with the padding behind it",
                where,
                "give its encoder without the head (AutoModel.from_pretrained(NAME).save_pretrained(FOLDER)), or "
                "another teacher",
            )


def _largest(values: Any) -> float:
    return float(np.nanmax(np.abs(values), initial=0.0)) or 1.0
