"""A linear layer with the bias, scale, activation and residual around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from potstill.compile.expr import Const, Elementwise, Expr, Product, stem_of, weight_of
from potstill.compile.ir import Op
from potstill.compile.ops.layer_norm import LayerNorm
from potstill.errors import CompileError
from potstill.still import core_math, reference
from potstill.still.arrays import Array
from potstill.still.schema import fb, word, words
from potstill.still.schemes import quantize_rows

if TYPE_CHECKING:
    from potstill.compile.evaluate import Evaluation
    from potstill.compile.fuse import Fuser
    from potstill.compile.lower import Lowering
    from potstill.runtime.oplist import OpFacts
    from potstill.still.schemes import Scheme

# Beyond this an int32 sum of int8 products could overflow: 128 * 127 * K < 2^31.
_LONGEST_DOT = (2**31 - 1) // (128 * 127)
# What a file holds at most (cpp/src/format/reader.h).
_LONGEST_ROW = 32_768


@dataclass(frozen=True, eq=False)
class Linear(Op):
    """activation(x @ weight.T + bias) + residual; weight [width, K] f32, bias [width] f32 or None."""

    x: Op
    weight: Array
    bias: Array | None = None
    activation: str = "none"
    residual: Op | None = None

    @property
    def width(self) -> int:
        return int(self.weight.shape[0])

    @property
    def bare(self) -> bool:
        """Whether nothing follows the product and its bias."""
        return self.activation == "none" and self.residual is None

    @classmethod
    def recognise(cls, expr: Expr, fuser: Fuser) -> Op | None:
        """A product, or an activation on one."""
        if isinstance(expr, Product):
            return cls(stem_of(expr.name, expr.node), fuser.op(expr.x), weight_of(expr.weight, expr))
        activated = fuser.activation(expr) if isinstance(expr, Elementwise) else None
        if activated is None:
            return None
        base = fuser.op(activated.base)
        if not isinstance(base, Linear) or not base.bare:
            raise fuser.refusal("C010", f"{activated.kind} that does not follow a linear layer", expr.node)
        return replace(base, activation=activated.kind)

    def plus(self, const: Const, sign: float) -> Op | None:
        if const.is_matrix or self.activation != "none":
            return None
        vector = np.broadcast_to(sign * const.wide, (self.width,))
        bias = vector if self.bias is None else self.bias.astype(np.float64) + vector
        return replace(self, bias=bias.astype(np.float32))

    def times(self, factor: Array) -> Op | None:
        if factor.ndim > 1 or not self.bare:
            return None
        vector = np.broadcast_to(factor, (self.width,)).astype(np.float64)
        weight = (self.weight.astype(np.float64) * vector[:, None]).astype(np.float32)
        bias = None if self.bias is None else (self.bias.astype(np.float64) * vector).astype(np.float32)
        return replace(self, weight=weight, bias=bias)

    def dtype(self, scheme: Scheme, name: str, *, head: bool) -> str:
        """Heads stay f32 in every scheme, those on tokens too."""
        return scheme.linear_dtype(name) if self.per_token and not head else "f32"

    def lower(self, to: Lowering, name: str) -> Any:
        if self.weight.shape[1] > _LONGEST_ROW:
            what = f"{self.weight.shape[1]:,} inputs of a layer, a file holds {_LONGEST_ROW:,}"
            raise CompileError("C123", f"the model is too large: {what}", self.name, "use a smaller student")
        body, dtype = fb.LinearT(), to.dtype(self)
        if dtype == "f32":
            body.weightT = to.tensor(f"{name}.weight", "f32", self.weight, "pack_f32n8")
        else:
            if self.weight.shape[1] > _LONGEST_DOT:
                raise CompileError(
                    "C040", f"a linear layer with {self.weight.shape[1]} inputs overflows int32 sums", name,
                    "compile with --scheme fp32",
                )  # fmt: skip
            int4 = dtype == "i4"
            if int4:
                q, scale = to.int4(self.weight, input_importance(self.x))
            else:
                q, scale = quantize_rows(self.weight, to.scheme.clip)
            colsum = q.astype(np.int32).sum(axis=1, dtype=np.int32)
            body.weightT = to.tensor(f"{name}.weight", dtype, q, "pack_i4n4k32" if int4 else "pack_i8n4k16")
            body.scaleT = to.column_vector(f"{name}.scale", "f32", scale)
            body.colsumT = to.column_vector(f"{name}.colsum", "i32", colsum)
        if self.bias is not None:
            body.biasT = to.column_vector(f"{name}.bias", "f32", self.bias)
        body.activation = words(fb.Activation)[to.scheme.activation(self.activation, dtype=dtype)]
        body.inputQuant = words(fb.InputQuant)[to.scheme.input_quant(producer_activation(self), dtype=dtype)]
        return body

    @staticmethod
    def evaluate(body: Any, inputs: Sequence[Array], run: Evaluation) -> Array:
        weight, bias = run.weights[body.weightT], run.weights.get(body.biasT)
        shift = np.zeros(len(weight), np.float32) if bias is None else bias
        if body.inputQuant == fb.InputQuant.None_:
            y = (core_math.dot(inputs[0], weight) if run.exact else inputs[0] @ weight.T) + shift
        else:
            scale, colsum = run.weights[body.scaleT], run.weights[body.colsumT]
            q, row_scale, zero = reference.QUANTIZERS[word(fb.InputQuant, body.inputQuant)](inputs[0])
            # Sums of int8 products stay below 2^31, so float64 products hold them exactly (and are fast).
            sums = (q.astype(np.float64) @ weight.T.astype(np.float64)).astype(np.int64)
            sums = sums - zero[:, None].astype(np.int64) * colsum[None, :]
            y = core_math.fma(sums.astype(np.float32), row_scale[:, None] * scale[None, :], shift)
        functions = reference.EXACT_FUNCTIONS if run.exact else reference.FUNCTIONS
        y = functions[word(fb.Activation, body.activation)](y).astype(np.float32)
        return y + inputs[1] if len(inputs) > 1 else y

    def facts(self, base: OpFacts) -> OpFacts:
        return base._replace(inputs=int(self.weight.shape[1]), activation=self.activation != "none")


def producer_activation(op: Linear) -> str:
    """The activation that made the rows which enter `op`."""
    return op.x.activation if isinstance(op.x, Linear) and op.x.residual is None else "none"


def input_importance(x: Op) -> Array | None:
    """[width] of a layer norm's rows, near enough: they are normalised before gamma and beta. None: not known."""
    if not isinstance(x, LayerNorm):
        return None
    return np.asarray(x.gamma.astype(np.float64) ** 2 + x.beta.astype(np.float64) ** 2)


def add_residual(a: Op, b: Op) -> Op | None:
    """a + b, fused into whichever of the two is a linear without residual; None when neither is.

    When both are, the later one takes the sum: the earlier one has to be computed before it in any case.
    """
    if a.width != b.width or a.per_token != b.per_token:
        return None
    able = [op for op in (a, b) if isinstance(op, Linear) and op.residual is None]
    if not able:
        return None
    if len(able) == 2 and reaches(a, b):
        able.reverse()
    target = able[0]
    assert isinstance(target, Linear)
    return replace(target, residual=b if target is a else a)


def reaches(earlier: Op, later: Op) -> bool:
    """Whether `later` reads `earlier`, directly or not."""
    seen: set[int] = set()
    stack = [later]
    while stack:
        op = stack.pop()
        if op is earlier:
            return True
        if id(op) not in seen:
            seen.add(id(op))
            stack.extend(op.inputs())
    return False
