"""A student whose layers round as its packed model will: for training, for measuring, and back to a plain student."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from potstill.quantize.fake_quant import FakeQuantEmbedding, FakeQuantGelu, FakeQuantLinear
from potstill.quantize.fused_layers import FusedLinear, Layout, scaled
from potstill.still.arrays import Array
from potstill.still.int4 import quantize_rows_int4
from potstill.still.schemes import Scheme, quantize_rows

# Rounds of "round, write the result back" until a grid repeats itself; two suffice but for rows of few values.
_ROUNDS = 8


class RoundedStudent:
    """Puts rounding layers into a student, in place.

    Args:
        student: a classifier with the layers that ``layout`` names, in f32.
        layout: what is rounded (`fused_layers.student_layout`).
    """

    def __init__(self, student: nn.Module, layout: Layout) -> None:
        self.student, self.layout = student, layout
        self.linears: dict[str, list[FakeQuantLinear]] = {}
        self._originals: list[tuple[str, nn.Module]] = []
        by_module: dict[str, FakeQuantLinear] = {}
        for layer in layout.linears:
            for name, factor in zip(layer.modules, layer.factors, strict=True):
                if name not in by_module:
                    original = student.get_submodule(name)
                    assert isinstance(original, nn.Linear)
                    by_module[name] = FakeQuantLinear(original, asymmetric=layer.asymmetric, factor=factor)
                    self._replace(name, by_module[name])
            self.linears[layer.name] = [by_module[name] for name in layer.modules]
            if layer.activation == "gelu":
                self._replace_gelu(layer, by_module[layer.modules[0]])
        word = student.get_submodule(layout.embedding.module)
        assert isinstance(word, nn.Embedding)
        self.embedding = FakeQuantEmbedding(word)
        self._replace(layout.embedding.module, self.embedding)

    def _replace(self, name: str, module: nn.Module) -> None:
        self._originals.append((name, self.student.get_submodule(name)))
        self.student.set_submodule(name, module)

    def _replace_gelu(self, layer: FusedLinear, linear: FakeQuantLinear) -> None:
        """The GELU beside the layer. Where it cannot be seen it stays exact, 8e-5 from the core's at most."""
        parent = layer.modules[0].rpartition(".")[0]
        for name, child in self.student.get_submodule(parent).named_children():
            if "GELU" in type(child).__name__:
                self._replace(f"{parent}.{name}", FakeQuantGelu(child, linear))

    def set_scheme(self, scheme: Scheme) -> None:
        """Round by this scheme; int4 steps start where the compiler would put them now."""
        for layer in self.layout.linears:
            self.set_dtype(layer.name, scheme.linear_dtype(layer.name))
        self.set_dtype(self.layout.embedding.name, scheme.embedding)

    def set_dtype(self, name: str, dtype: str) -> None:
        """Choose the dtype (f32, i8, i4) of one operator."""
        if name == self.layout.embedding.name:
            steps = None
            if dtype == "i4":
                table = self.embedding.weight.detach().cpu().numpy()
                steps = torch.from_numpy(quantize_rows_int4(table, self.layout.embedding.importance)[1])
            self.embedding.set_dtype(dtype, _beside(steps, self.embedding.weight))
            return
        layer = next(layer for layer in self.layout.linears if layer.name == name)
        for module in self.linears[name]:
            steps = None
            if dtype == "i4":
                weight = scaled(module.weight.detach().cpu().numpy(), module.factor)
                steps = torch.from_numpy(quantize_rows_int4(weight, layer.importance)[1])
            module.set_dtype(dtype, _beside(steps, module.weight))

    @torch.no_grad()
    def grid(self, name: str) -> tuple[Array, Array] | None:
        """What training made of an operator: int8 ``[rows, columns]`` and f32 ``[rows]``; None for f32."""
        if name == self.layout.embedding.name:
            return _grid(self.embedding, 1.0)
        grids = [_grid(module, module.factor) for module in self.linears[name]]
        parts = [grid for grid in grids if grid is not None]
        if not parts:
            return None
        return np.concatenate([q for q, _ in parts]), np.concatenate([scale for _, scale in parts])

    @torch.no_grad()
    def snap(self) -> None:
        """Put every rounded weight on its grid, so that the compiler, rounding again, finds the same grid."""
        modules = [(module, module.factor) for parts in self.linears.values() for module in parts]
        for module, factor in [*modules, (self.embedding, 1.0)]:
            found = _grid(module, factor)
            if found is None:
                continue
            for _ in range(_ROUNDS):
                weight = found[0] * found[1][:, None]
                again = quantize_rows_int4(weight) if module.dtype == "i4" else quantize_rows(weight)
                if np.array_equal(again[0], found[0]) and np.array_equal(again[1], found[1]):
                    break
                found = again
            weight = (found[0] * found[1].astype(np.float64)[:, None] / factor).astype(np.float32)
            module.weight.copy_(torch.from_numpy(weight))

    def unwrap(self) -> nn.Module:
        """The plain student again, with the weights as they are."""
        for name, module in reversed(self._originals):
            self.student.set_submodule(name, module)
        return self.student


def _beside(steps: torch.Tensor | None, weight: torch.Tensor) -> torch.Tensor | None:
    return None if steps is None else steps.to(weight.device)


def _grid(module: FakeQuantLinear | FakeQuantEmbedding, factor: float) -> tuple[Array, Array] | None:
    if module.dtype == "f32":
        return None
    weight = scaled(module.weight.detach().cpu().numpy(), factor)
    step = module.step()
    if step is None:
        return quantize_rows(weight)
    scale = step.detach().cpu().numpy()
    inverse = np.where(scale > 0, 1.0 / np.where(scale > 0, scale, 1.0).astype(np.float64), 0.0)
    return np.clip(np.rint(weight * inverse[:, None]), -7, 7).astype(np.int8), scale
