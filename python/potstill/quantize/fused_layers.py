"""Which modules of a student become which operator of the packed model.

The compiler fuses queries, keys and values into one linear layer and folds the score scale into the queries. Training
with rounded weights has to round what the compiler will round, so the fused graph of the student's own ONNX export is
laid beside the student, and layers are recognised by their weights: names differ between architectures, numbers do not.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import nn

from potstill.compile.ir import Graph, operator_names
from potstill.compile.ops import Attention, Embedding, LayerNorm, Linear
from potstill.compile.ops.embedding import embedding_importance
from potstill.compile.ops.linear import input_importance, producer_activation
from potstill.errors import TrainError
from potstill.still.arrays import Array
from potstill.still.schemes import ONE_SIDED


@dataclass(frozen=True, eq=False)
class FusedLinear:
    """One linear layer of the packed model, and what of the student it is made of.

    Attributes:
        name: the operator's name in the packed model, as `Scheme.layers` uses it.
        modules: dotted names of the student's linear layers, in the order of the operator's rows.
        factors: for each of them what its weight and bias are multiplied with before they are rounded.
        shape: (outputs, inputs) of the operator.
        asymmetric: its input rows are quantized with a zero point.
        activation: of the operator.
        importance: ``[inputs]`` as the int4 rounding weighs columns, or None.
    """

    name: str
    modules: tuple[str, ...]
    factors: tuple[float, ...]
    shape: tuple[int, int]
    asymmetric: bool
    activation: str
    importance: Array | None


@dataclass(frozen=True, eq=False)
class FusedEmbedding:
    """The word embedding: operator name, the student's module, (vocabulary, width), and columns' importance."""

    name: str
    module: str
    shape: tuple[int, int]
    importance: Array | None


@dataclass(frozen=True, eq=False)
class Layout:
    """All that is rounded in a student: linear layers on tokens, in the order they run, and the word embedding."""

    linears: tuple[FusedLinear, ...]
    embedding: FusedEmbedding


def student_layout(student: nn.Module, model_dir: Path, work: Path, *, opset: int, max_tokens: int) -> Layout:
    """Export the student in ``model_dir`` to ONNX, fuse it as the compiler does, and find its layers in ``student``.

    Args:
        student: the same weights as in ``model_dir``.
        model_dir: folder of the classifier.
        work: folder for the ONNX, which is removed again.
        opset, max_tokens: as the build exports it: operator names depend on them.

    Raises:
        TrainError: a layer has no counterpart in the student.
        ExportError, CompileError: the student cannot be exported or compiled.
    """
    from potstill.compile.import_onnx import import_onnx
    from potstill.export.onnx import export_onnx

    path = work / "layout.onnx"
    try:
        graph = import_onnx(export_onnx(model_dir, path, opset=opset, max_tokens=max_tokens)).graph
    finally:
        path.unlink(missing_ok=True)
    return match_layers(student, graph)


def match_layers(student: nn.Module, graph: Graph) -> Layout:
    """Find the rounded operators of a fused graph in the student it was made from.

    Raises:
        TrainError: an operator whose weights no module of the student has.
    """
    names, found = operator_names(graph), _Weights(student)
    norm_behind = {id(op.x): op for op in graph.ordered() if isinstance(op, LayerNorm)}
    scales = {id(op.qkv): op.scale for op in graph.ordered() if isinstance(op, Attention)}
    linears, embedding = [], None
    for op in graph.ordered():
        name = names[id(op)]
        if isinstance(op, Embedding):
            module = found.take(nn.Embedding, op.word)
            if module is None:
                raise _no_counterpart(name)
            shape = (int(op.word.shape[0]), int(op.word.shape[1]))
            embedding = FusedEmbedding(name, module, shape, embedding_importance(norm_behind.get(id(op))))
        elif isinstance(op, Linear) and op.per_token and op is not graph.logits:
            parts = found.parts(op.weight, scales.get(id(op)))
            if parts is None:
                raise _no_counterpart(name)
            modules, factors = zip(*parts, strict=True)
            shape = (int(op.weight.shape[0]), int(op.weight.shape[1]))
            one_sided = producer_activation(op) in ONE_SIDED
            linears.append(FusedLinear(name, modules, factors, shape, one_sided, op.activation, input_importance(op.x)))
    if embedding is None:
        raise _no_counterpart("word embedding")
    return Layout(tuple(linears), embedding)


class _Weights:
    """The student's modules by the content of their weights; of equal ones each is taken in turn."""

    def __init__(self, student: nn.Module) -> None:
        self.modules: dict[tuple[type, bytes], list[str]] = {}
        self.values: dict[str, Array] = {}
        for name, module in student.named_modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                weight = module.weight.detach().cpu().numpy()
                kind = nn.Linear if isinstance(module, nn.Linear) else nn.Embedding
                self.values[name] = weight
                self.modules.setdefault((kind, _digest(weight)), []).append(name)

    def take(self, kind: type, weight: Array, factor: float = 1.0) -> str | None:
        """The module whose weight times the factor is this one."""
        if factor == 1.0:
            names = self.modules.get((kind, _digest(weight)))
        else:
            names = next((n for n in self.modules.values() if self._scaled_fits(n[0], weight, factor)), None)
        if not names:
            return None
        # A layer that is used several times (shared weights) stays the last one left.
        return names.pop(0) if len(names) > 1 else names[0]

    def _scaled_fits(self, name: str, weight: Array, factor: float) -> bool:
        value = self.values[name]
        return value.shape == weight.shape and np.array_equal(scaled(value, factor), weight)

    def parts(self, weight: Array, scale: float | None) -> list[tuple[str, float]] | None:
        """Modules and factors that stand one below the other in this weight."""
        if scale is None:
            module = self.take(nn.Linear, weight)
            return None if module is None else [(module, 1.0)]
        rows = len(weight) // 3
        found = []
        for index, factor in enumerate((scale, 1.0, 1.0)):
            module = self.take(nn.Linear, weight[index * rows : (index + 1) * rows], factor)
            if module is None:
                return None
            found.append((module, factor))
        return found


def scaled(weight: Array, factor: float) -> Array:
    """weight * factor as the compiler folds it: in float64, rounded to f32 once."""
    return (weight.astype(np.float64) * factor).astype(np.float32)


def _digest(weight: Array) -> bytes:
    flat = np.ascontiguousarray(weight, np.float32)
    return hashlib.blake2b(flat.tobytes() + str(flat.shape).encode(), digest_size=16).digest()


def _no_counterpart(name: str) -> TrainError:
    return TrainError(
        "T095",
        "no layer of the student has the weights of this layer of the compiled graph",
        name,
        "set quantize.qat_epochs to 0 and compile.scheme to int8 or int4",
    )
