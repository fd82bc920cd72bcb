"""Schemes: how weights and activations of a packed model are represented.

| | fp32 | int8 | int4 |
|---|---|---|---|
| linear layers on tokens | f32 | int8 per output channel in [-127, 127], scale = absmax / 127 | in [-7, 7], int4.py |
| their input rows | f32 | int8 per row, quantized while running: symmetric, asymmetric after GELU or ReLU | as int8 |
| word embedding | f32 | int8 per row (token), scale = absmax / 127 | int4 per row, int4.py |
| positions, layer norms, biases | f32 | f32 | f32 |
| linear layers on pooled vectors | f32 | f32: 0.1 % of the work, and the most sensitive to rounding | f32 |
| GELU | erf form | polynomial form (its error, 8e-5, is far below one int8 step) | polynomial form |

The dtype belongs to a tensor, so a file may mix them: the embedding has its own, and the scheme `mixed` one for each
linear layer, chosen from measured damage (choice.py).

What is not there, on purpose:

* **Static activations.** Input rows are always scaled by their own absmax, while running. One pass over a row costs
  little beside its product, needs no calibration text, and one loud token does not coarsen the others'. Engines that
  want fixed activation ranges get them in an export of their own (`export.onnx_static`); a `.still` holds none.
* **Smoothing** (SmoothQuant: Xiao et al., 2023), which moves the outlier channels of a layer norm from gamma and beta
  into the weights behind it. It is exact only where the norm's rows go nowhere else. In BERT's kind of encoder (norm
  after the sum) the same rows are the residual of the next sum, so gamma has to stay what it is.
* **Groups along k for int4.** The kernels have one scale for each output channel, which keeps the integer sum of a
  whole row exact and the format's layout one for every instruction set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from potstill.errors import CompileError
from potstill.still.arrays import Array

# Activations whose results are one-sided (GELU is above -0.17): symmetric int8 would waste half of its range.
ONE_SIDED = ("gelu", "gelu_poly", "gelu_tanh", "relu")

# Rows below this are stored as zeros, as the core does for activations; keeps every scale a normal f32.
SMALLEST = 1e-30

# What recipes and commands call the dtypes.
DTYPE_OF = {"fp32": "f32", "int8": "i8", "int4": "i4"}
MIXED = "mixed"
CLIPS = ("absmax", "mse")
# What `mse` tries to cut off, as shares of absmax. With 255 levels little can pay: cutting off d of the largest of
# n values costs d^2 and makes the rounding error n / (12 * 127^2) smaller by 2 d of itself, so the best d is about
# 0.002 at 312 columns and 0.006 at 1,200, and the error falls by that share. On a 2-layer student it did not show: the
# divergence from fp32 on the test texts was 0.140 millinats with absmax and 0.151 with mse.
_CLIPPED = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064)


@dataclass(frozen=True)
class Scheme:
    """One scheme: dtypes ("f32", "i8" or "i4") of the weights applied to tokens.

    Attributes:
        name: kept in the file.
        linear: dtype of linear layers.
        embedding: dtype of the word embedding.
        layers: dtype of single linear layers, by operator name; the others have `linear`.
        clip: how the scale of an int8 row is chosen, "absmax" or "mse" (`quantize_rows`).
    """

    name: str
    linear: str
    embedding: str
    layers: Mapping[str, str] = field(default_factory=dict)
    clip: str = "absmax"

    def linear_dtype(self, layer: str) -> str:
        """The dtype of the linear layer of that operator name."""
        return self.layers.get(layer, self.linear)

    @property
    def has_int4(self) -> bool:
        """Whether some tensor is int4."""
        return "i4" in (self.linear, self.embedding, *self.layers.values())

    def activation(self, kind: str, *, dtype: str) -> str:
        """The activation the core runs for `kind` behind a linear layer of that dtype."""
        return "gelu_poly" if kind == "gelu" and dtype != "f32" else kind

    def input_quant(self, producer_activation: str, *, dtype: str) -> str:
        """How the rows that enter a linear layer are quantized, from the activation that made them."""
        if dtype == "f32":
            return "none"
        return "asymmetric" if producer_activation in ONE_SIDED else "symmetric"


SCHEMES = {name: Scheme(name, linear=dtype, embedding=dtype) for name, dtype in DTYPE_OF.items()}


def scheme_by_name(name: str, *, embedding: str = "auto", clip: str = "absmax") -> Scheme:
    """The scheme of that name.

    Args:
        name: fp32, int8 or int4. `mixed` needs measurements: `potstill.quantize.choice.choose`.
        embedding: the same names, for the word embedding; auto: as `name`. A scheme whose embedding differs is called
            e.g. `int4+embedding-int8`.
        clip: scale of int8 rows, "absmax" or "mse".

    Raises:
        CompileError: no such scheme; no such dtype of the embedding, or no such clipping.
    """
    if name not in SCHEMES:
        raise CompileError("C022", "unknown scheme", repr(name), f"choose one of: {', '.join(SCHEMES)}")
    if embedding not in (*DTYPE_OF, "auto"):
        names = ", ".join(("auto", *DTYPE_OF))
        raise CompileError("C026", f"unknown dtype {embedding!r}", "the word embedding", f"choose one of: {names}")
    if clip not in CLIPS:
        raise CompileError("C026", f"unknown clipping {clip!r}", "int8 rows", f"choose one of: {', '.join(CLIPS)}")
    if embedding in ("auto", name):
        return Scheme(name, DTYPE_OF[name], DTYPE_OF[name], clip=clip)
    return Scheme(f"{name}+embedding-{embedding}", DTYPE_OF[name], DTYPE_OF[embedding], clip=clip)


def quantize_rows(weight: Array, clip: str = "absmax") -> tuple[Array, Array]:
    """Symmetric int8 for each row.

    Args:
        weight: [rows, columns] f32, finite.
        clip: "absmax": scale = absmax / 127, nothing is cut off. "mse": of absmax and eight ranges that cut off 0.05
            to 6.4 % of it the one with the least squared error.

    Returns:
        int8 [rows, columns] in [-127, 127] and f32 scales [rows]: weight ~ q * scale. A row whose values are all
        below 1e-30 has scale 0 and zeros.
    """
    wide = weight.astype(np.float64)
    absmax = np.abs(wide).max(axis=1, initial=0.0)
    used = absmax >= SMALLEST
    if clip == "mse":
        absmax = absmax * _best_shares(wide / np.where(used, absmax, 1.0)[:, None])
    inverse = np.where(used, 127.0 / np.where(used, absmax, 1.0), 0.0)
    q = np.clip(np.rint(wide * inverse[:, None]), -127, 127).astype(np.int8)
    return q, np.where(used, absmax / 127.0, 0.0).astype(np.float32)


def _best_shares(unit: Array) -> Array:
    """[rows]: share of absmax at which a row in [-1, 1] is best cut off."""

    def error(share: float) -> Array:
        back = np.clip(np.rint(unit * (127.0 / share)), -127, 127) * (share / 127.0)
        return np.asarray(((unit - back) ** 2).sum(axis=1))

    best, least = np.ones(len(unit)), error(1.0)
    for share in (1.0 - clipped for clipped in _CLIPPED):
        found = error(share)
        better = found < least
        best[better], least[better] = share, found[better]
    return best
