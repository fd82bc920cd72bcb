"""Evaluate a packed model in numpy: what the core computes, written as plainly as possible.

Integer parts (quantized rows and weights, int32 sums) are exact. Float parts come in two kinds:

* fast: numpy's own order of summation, exp and erf. About 1e-6 relative to the core in f32; in int8 a row value on a
  rounding edge may fall to the other side, which moved logits of random two-layer models by up to 4 %.
* exact: the core's order and polynomials (core_math.py). Equal to the core bit for bit, but for double roundings of
  emulated fma (about one in 2^29); some hundred times slower where dot products are f32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potstill.still import core_math
from potstill.still.activations import gelu, gelu_tanh
from potstill.still.packed import PackedModel
from potstill.still.schema import fb, word

Array = NDArray[Any]

_SMALLEST = np.float32(1e-30)


@dataclass(frozen=True)
class Outputs:
    """For one text: logits [labels] and pooled embedding [width], f32; None when the model has no such output.

    Logits are [tokens, labels] where the model labels words.
    """

    logits: Array | None
    embedding: Array | None


class Evaluator:
    """Runs a packed model; weights are unpacked once.

    Args:
        exact: the core's own float arithmetic instead of numpy's.
    """

    def __init__(self, model: PackedModel, *, exact: bool = False) -> None:
        self.model = model
        self.exact = exact
        self.functions = EXACT_FUNCTIONS if exact else FUNCTIONS
        fields = (item for op in model.header.ops for item in vars(op.body).items())
        self._weights = {i: model.values(i) for field, i in fields if field.endswith("T") and i >= 0}

    def run(self, ids: Sequence[int], types: Sequence[int] | None = None) -> Outputs:
        """One text, or a pair of texts with its token types, given as token ids with the specials."""
        values: dict[int, Array] = {}
        with np.errstate(all="ignore"):  # overflow becomes infinity and NaN, as in the core
            for op in self.model.header.ops:
                kinds = np.zeros(len(ids), np.int64) if types is None else np.asarray(types)
                values[op.output] = self._step(op, [values[i] for i in op.inputs], np.asarray(ids), kinds)

        def result(*, vector: bool) -> Array | None:
            index = self.model.result(vector=vector)
            if index is None:
                return None
            return values[index] if self.model.header.values[index].rows == fb.Rows.Tokens else values[index][0]

        return Outputs(result(vector=False), result(vector=True))

    def _step(self, op: Any, inputs: list[Array], ids: Array, types: Array) -> Array:
        body, weights = op.body, self._weights
        match body:
            case fb.EmbeddingT():
                rows, added = self._embedding(body, ids), weights.get(body.typeT)
                return rows if added is None else rows + added[types]
            case fb.LayerNormT():
                norm = core_math.layer_norm if self.exact else layer_norm
                return norm(inputs[0], weights[body.gammaT], weights[body.betaT], body.eps)
            case fb.LinearT():
                return self._linear(body, inputs)
            case fb.AttentionT():
                return (core_math.attention if self.exact else attention)(inputs[0], body.heads)
            case fb.PoolT():
                if body.kind == fb.PoolKind.Cls:
                    return inputs[0][:1]
                return core_math.mean_pool(inputs[0]) if self.exact else inputs[0].mean(axis=0, keepdims=True)
            case fb.NormalizeT():
                return (core_math.l2_normalize if self.exact else l2_normalize)(inputs[0], body.eps)
            case _:
                raise AssertionError(type(body))

    def _embedding(self, body: Any, ids: Array) -> Array:
        rows, position = self._weights[body.wordT][ids].astype(np.float32), self._weights[body.positionT]
        scale = self._weights.get(body.wordScaleT)
        if scale is not None:
            return core_math.fma(rows, scale[ids][:, None], position[: len(ids)])
        return rows + position[: len(ids)]

    def _linear(self, body: Any, inputs: list[Array]) -> Array:
        weight, bias = self._weights[body.weightT], self._weights.get(body.biasT)
        shift = np.zeros(len(weight), np.float32) if bias is None else bias
        if body.inputQuant == fb.InputQuant.None_:
            y = (core_math.dot(inputs[0], weight) if self.exact else inputs[0] @ weight.T) + shift
        else:
            scale, colsum = self._weights[body.scaleT], self._weights[body.colsumT]
            q, row_scale, zero = QUANTIZERS[word(fb.InputQuant, body.inputQuant)](inputs[0])
            # Sums of int8 products stay below 2^31, so float64 products hold them exactly (and are fast).
            sums = (q.astype(np.float64) @ weight.T.astype(np.float64)).astype(np.int64)
            sums = sums - zero[:, None].astype(np.int64) * colsum[None, :]
            y = core_math.fma(sums.astype(np.float32), row_scale[:, None] * scale[None, :], shift)
        y = self.functions[word(fb.Activation, body.activation)](y).astype(np.float32)
        return y + inputs[1] if len(inputs) > 1 else y


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
