"""Schemes: how weights and activations of a packed model are represented.

| | fp32 | int8 | int4 |
|---|---|---|---|
| linear layers on tokens | f32 | int8 per output channel in [-127, 127], scale = absmax / 127 | in [-7, 7], int4.py |
| their input rows | f32 | int8 per row, quantized while running: symmetric, asymmetric after GELU or ReLU | as int8 |
| word embedding | f32 | int8 per row (token), scale = absmax / 127 | int4 per row, int4.py |
| positions, layer norms, biases | f32 | f32 | f32 |
| linear layers on pooled vectors | f32 | f32: 0.1 % of the work, and the most sensitive to rounding | f32 |
| GELU | erf form | polynomial form (its error, 8e-5, is far below one int8 step) | polynomial form |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potstill.errors import CompileError

Array = NDArray[Any]

# Activations whose results are one-sided (GELU is above -0.17): symmetric int8 would waste half of its range.
ONE_SIDED = ("gelu", "gelu_poly", "gelu_tanh", "relu")

# Rows below this are stored as zeros, as the core does for activations; keeps every scale a normal f32.
SMALLEST = 1e-30


@dataclass(frozen=True)
class Scheme:
    """One scheme: `linear` and `embedding` are the dtypes ("f32", "i8" or "i4") of weights applied to tokens."""

    name: str
    linear: str
    embedding: str

    def activation(self, kind: str, *, dtype: str) -> str:
        """The activation the core runs for `kind` behind a linear layer of that dtype."""
        return "gelu_poly" if kind == "gelu" and dtype != "f32" else kind

    def input_quant(self, producer_activation: str, *, dtype: str) -> str:
        """How the rows that enter a linear layer are quantized, from the activation that made them."""
        if dtype == "f32":
            return "none"
        return "asymmetric" if producer_activation in ONE_SIDED else "symmetric"


SCHEMES = {
    "fp32": Scheme("fp32", linear="f32", embedding="f32"),
    "int8": Scheme("int8", linear="i8", embedding="i8"),
    "int4": Scheme("int4", linear="i4", embedding="i4"),
}


def scheme_by_name(name: str) -> Scheme:
    """The scheme of that name.

    Raises:
        CompileError: C022 no such scheme.
    """
    if name not in SCHEMES:
        raise CompileError("C022", "unknown scheme", repr(name), f"choose one of: {', '.join(SCHEMES)}")
    return SCHEMES[name]


def quantize_rows(weight: Array) -> tuple[Array, Array]:
    """Symmetric int8 for each row.

    Args:
        weight: [rows, columns] f32, finite.

    Returns:
        int8 [rows, columns] in [-127, 127] and f32 scales [rows]: weight ~ q * scale. A row whose values are all
        below 1e-30 has scale 0 and zeros.
    """
    wide = weight.astype(np.float64)
    absmax = np.abs(wide).max(axis=1, initial=0.0)
    used = absmax >= SMALLEST
    inverse = np.where(used, 127.0 / np.where(used, absmax, 1.0), 0.0)
    q = np.clip(np.rint(wide * inverse[:, None]), -127, 127).astype(np.int8)
    return q, np.where(used, absmax / 127.0, 0.0).astype(np.float32)
