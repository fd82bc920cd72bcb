"""Linear layers and an embedding that compute as the core does: rounded weights, rounded input rows, exact sums.

Forward, the numbers are those of still/reference.py: the same grids, rounding half to even, integer sums (exact in
f32 below 2^24, which sums of a student stay far under), one rounding for scale and bias. Backward, rounding is taken
for the identity (the straight-through estimator: Bengio, Léonard and Courville, "Estimating or propagating gradients
through stochastic neurons for conditional computation", 2013).

int8 rows have the scale absmax / 127, found anew in every step. int4 rows have a scale of their own that is trained:
it starts where the compiler would put it, and its gradient is that of LSQ (Esser et al., "Learned step size
quantization", 2020), on its logarithm, so that AdamW moves small and large scales by the same share (Jain et al.,
"Trained quantization thresholds", 2020). When training ends, the weights are put on the grid; the compiler finds rows
that are exact multiples of a step exactly (int4.py), so the file holds the very numbers that were trained.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from potstill.still.core_math import _GELU_POLY
from potstill.still.int4 import LARGEST
from potstill.still.schemes import SMALLEST


def int8_grid(weight: Tensor) -> tuple[Tensor, Tensor]:
    """`schemes.quantize_rows`: ``[rows, columns]`` f32 to whole numbers (as f32) and scales ``[rows]`` f32."""
    wide = weight.double()
    absmax = wide.abs().amax(1)
    used = absmax >= SMALLEST
    inverse = torch.where(used, 127.0 / torch.where(used, absmax, 1.0), 0.0)
    q = (wide * inverse[:, None]).round_().clamp_(-127, 127).float()
    return q, torch.where(used, absmax / 127.0, 0.0).float()


def quantize_rows(x: Tensor, asymmetric: bool) -> tuple[Tensor, Tensor]:
    """Input rows ``[rows, k]`` f32 as the core rounds them: whole numbers minus their zero point (as f32), and scales
    ``[rows]`` f32 (reference.quantize_symmetric, reference.quantize_asymmetric)."""
    if not asymmetric:
        a = x.abs().amax(1)
        used = a >= SMALLEST
        inverse = torch.where(used, 127.0 / torch.where(used, a, 1.0), 0.0)
        return (x.double() * inverse.double()[:, None]).round_().float(), torch.where(used, a / 127.0, 0.0)
    low, high = x.amin(1).clamp_(max=0.0), x.amax(1).clamp_(min=0.0)
    span = high - low
    used = span >= SMALLEST
    inverse = torch.where(used, 255.0 / torch.where(used, span, 1.0), 0.0).double()
    zero = torch.where(used, (-128 - (low.double() * inverse).round()).clamp(-128, 127), 0.0)
    q = (x.double() * inverse[:, None]).round_().add_(zero[:, None]).clamp_(-128, 127)
    return q.sub_(zero[:, None]).float(), torch.where(used, span / 255.0, 0.0)


def _stepped(weight: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
    """weight / step, and that rounded to [-7, 7]; rows of step 0 are zeros."""
    ratio = torch.where(step > 0, 1.0 / step.double(), 0.0)[:, None] * weight
    return ratio, ratio.round().clamp_(-LARGEST, LARGEST).float()


class _RoundedLinear(torch.autograd.Function):
    """``x @ weight.T + bias`` by the core's arithmetic; for int4 with a given step for each row."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, step: Tensor | None, asymmetric: bool, factor: float
    ) -> Tensor:
        """``[..., k]`` f32 to ``[..., n]`` f32; weight and bias are multiplied with ``factor`` for the rounding."""
        w = weight if factor == 1.0 else (weight.double() * factor).float()
        ratio = None
        if step is None:
            q, scale = int8_grid(w)
        else:
            ratio, q = _stepped(w, step)
            scale = step
        rows, row_scale = quantize_rows(x.reshape(-1, x.shape[-1]), asymmetric)
        y = (rows @ q.T).double() * (row_scale[:, None] * scale[None, :])
        if bias is not None:
            y += bias if factor == 1.0 else (bias.double() * factor).float()
        y = y.float() if factor == 1.0 else y.float() / factor
        outside = error = None
        if ratio is not None:
            outside = ratio.abs() > LARGEST
            error = torch.where(outside, q, q - ratio).float()
        ctx.save_for_backward(rows * row_scale[:, None], q * (scale / factor)[:, None], outside, error, step)
        ctx.factor, ctx.has_bias = factor, bias is not None
        return y.reshape(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        """Straight through; int4 weights beyond the clipping point have no gradient, their step has."""
        seen, weight, outside, error, step = ctx.saved_tensors
        flat = gradients[0].reshape(-1, gradients[0].shape[-1])
        for_x = (flat @ weight).reshape(*gradients[0].shape[:-1], -1)
        for_weight, for_step = flat.T @ seen, None
        if step is not None:
            # LSQ's factor 1 / sqrt(columns * 7) keeps the steps' share of the gradient's norm small.
            damp = 1.0 / (ctx.factor * math.sqrt(error.shape[1] * LARGEST))
            for_step = (for_weight * error).sum(1) * damp
            for_weight = for_weight.masked_fill_(outside, 0.0)
        return for_x, for_weight, flat.sum(0) if ctx.has_bias else None, for_step, None, None


class _RoundedRows(torch.autograd.Function):
    """Rows of a table, rounded as the compiler stores them: ``[n, width]`` f32 to the same."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, step: Tensor | None) -> Tensor:
        """int8 by absmax, or int4 with a step ``[n]`` for each row."""
        if step is None:
            q, scale = int8_grid(rows)
            ctx.save_for_backward(None, None)
            return q * scale[:, None]
        ratio, q = _stepped(rows, step)
        outside = ratio.abs() > LARGEST
        ctx.save_for_backward(outside, torch.where(outside, q, q - ratio).float())
        return q * step[:, None]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        """Straight through, as for linear layers."""
        outside, error = ctx.saved_tensors
        if outside is None:
            return gradients[0], None
        damp = 1.0 / math.sqrt(error.shape[1] * LARGEST)
        return gradients[0].masked_fill(outside, 0.0), (gradients[0] * error).sum(1) * damp


class _GeluPoly(torch.autograd.Function):
    """The core's polynomial GELU (reference: core_math.gelu_poly); its gradient is the exact GELU's."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Elementwise, f32; equal to the core's but for the last bits, since its sums have another order."""
        ctx.save_for_backward(x)
        p6, p5, p4, p3, p2, p1, p0 = (float(p) for p in _GELU_POLY)
        a = x.clamp(-3.9, 3.9)
        s = a * a
        total = torch.full_like(s, p6)
        for p in (p5, p4, p3, p2, p1, p0):
            total.mul_(s).add_(p)
        return x * total.mul_(a).add_(0.5)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        """d gelu(x) / dx."""
        (x,) = ctx.saved_tensors
        return torch.ops.aten.gelu_backward(gradients[0], x)


class _Rounded(nn.Module):
    """Weights with a dtype (f32, i8 or i4); int4 rows have a trained step, ``base_step * exp(log_step)``."""

    weight: nn.Parameter
    base_step: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.dtype = "f32"
        self.log_step: nn.Parameter | None = None

    def set_dtype(self, dtype: str, steps: Tensor | None = None) -> None:
        """Choose the dtype; int4 needs the steps ``[rows]`` f32 to start from."""
        self.dtype, self.log_step = dtype, None
        self.register_buffer("base_step", steps)
        if steps is not None:
            self.log_step = nn.Parameter(torch.zeros_like(steps))

    def step(self) -> Tensor | None:
        """``[rows]``, or None unless int4. Its gradient reaches ``log_step`` times the step, as it should."""
        return None if self.log_step is None else self.base_step * self.log_step.exp()


class FakeQuantLinear(_Rounded):
    """Stands in for a linear layer; shares its parameters.

    Args:
        original: the layer.
        asymmetric: quantize the input rows with a zero point.
        factor: what weight and bias are multiplied with before rounding; the result is divided by it again.
    """

    def __init__(self, original: nn.Linear, *, asymmetric: bool, factor: float) -> None:
        super().__init__()
        self.weight, self.bias = original.weight, original.bias
        self.asymmetric, self.factor = asymmetric, factor

    def forward(self, x: Tensor) -> Tensor:
        """``[..., inputs]`` to ``[..., outputs]``, f32."""
        if self.dtype == "f32":
            return nn.functional.linear(x, self.weight, self.bias)
        found: Tensor = _RoundedLinear.apply(x, self.weight, self.bias, self.step(), self.asymmetric, self.factor)
        return found


class FakeQuantEmbedding(_Rounded):
    """Stands in for the word embedding; shares its table. Only the rows looked up are rounded."""

    def __init__(self, original: nn.Embedding) -> None:
        super().__init__()
        self.weight, self.padding_idx = original.weight, original.padding_idx

    def forward(self, ids: Tensor) -> Tensor:
        """Ids of any shape to ``[..., width]``, f32."""
        rows = nn.functional.embedding(ids, self.weight, self.padding_idx)
        if self.dtype == "f32":
            return rows
        step = None if self.log_step is None else self.base_step[ids].reshape(-1) * self.log_step[ids].reshape(-1).exp()
        found: Tensor = _RoundedRows.apply(rows.reshape(-1, rows.shape[-1]), step)
        return found.reshape(rows.shape)


class FakeQuantGelu(nn.Module):
    """The GELU behind a linear layer: the core's polynomial when that layer is quantized, else as it was."""

    def __init__(self, original: nn.Module, layer: FakeQuantLinear) -> None:
        super().__init__()
        self.original = original
        # In a list: the layer is a child of another module and must not show up in the state twice.
        self._layer = [layer]

    def forward(self, x: Tensor) -> Tensor:
        """Elementwise."""
        found: Tensor = self.original(x) if self._layer[0].dtype == "f32" else _GeluPoly.apply(x)
        return found
