"""Other operators than the importer's own, rewritten before it reads a graph; README.md says how to add one.

`unrounded` turns a quantized graph into one of f32 numbers, `written_out` says with standard operators what operators
of onnxruntime's optimizers, or packed weights, mean.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from potstill.compile.bounds import nodes_within
from potstill.compile.ids import sample_ids
from potstill.compile.load import Node, Source, label_of
from potstill.compile.rewrites import fused, rounded
from potstill.compile.rewrites.graphs import folded, protos, rebuilt
from potstill.compile.rewrites.grids import LAYOUT, Grids
from potstill.compile.rewrites.writer import FLOAT, NotWritten, Rewrite, Writer
from potstill.compile.run import SHAPE_OPS, run_onnx
from potstill.compile.specialise import PROBE_LENGTH, classify_inputs
from potstill.errors import CompileError


def _all(folder: ModuleType) -> dict[str, Any]:
    """The rewrites of all files of a folder."""
    found: dict[str, Any] = {}
    for file in pkgutil.iter_modules(folder.__path__, f"{folder.__name__}."):
        found.update(importlib.import_module(file.name).REWRITES)
    return found


FUSED: Mapping[str, Rewrite] = _all(fused)
ROUNDED: Mapping[str, Callable[[Writer, Grids], None]] = _all(rounded)

# Operators on integers that are not read.
_UNREAD = frozenset(
    {"ConvInteger", "MatMulBnb4", "QLinearAveragePool", "QLinearConcat", "QLinearConv", "QLinearGlobalAveragePool",
     "QLinearLeakyRelu", "QLinearReduceMean", "QLinearSigmoid", "QLinearWhere", "QOrderedAttention",
     "QOrderedLayerNormalization", "QOrderedMatMul"}
)  # fmt: skip
_FEW_BITS = frozenset({"MatMulNBits", "GatherBlockQuantized"})
_LEVEL = "accuracy_level"  # of a MatMulNBits: above this number the rows are rounded too
_F32_ROWS = 1


@dataclass(frozen=True)
class Read:
    """A graph of f32 numbers and standard operators.

    `source` is what the importer reads; what onnxruntime gives for `reference` is the model's answer. That is the graph
    as it was, unless rows were rounded in it: then `reference` is without that, `given` with it, and `removed` counts
    the roundings. With `quantized` weights were stored as integers.
    """

    source: Source
    reference: Source
    given: Source | None = None
    removed: int = 0
    quantized: bool = False

    @property
    def notes(self) -> list[str]:
        """What the user should know of it."""
        if not self.quantized:
            return []
        left = f"; {self.removed} roundings of activations are left out" if self.removed else ""
        return [f"the ONNX is quantized: its weights are used as exactly what they stand for{left}"]


def plain(source: Source) -> Read:
    """The graph with standard f32 operators, as far as they are known.

    Raises:
        CompileError: integers that cannot be read.
    """
    operators = {node.op_type for node in nodes_within(source.model.graph.node)}
    exact, removed = source, 0
    if operators & (ROUNDED.keys() | _UNREAD):
        exact, removed = _without_grids(folded(source))
    exact, rows = _with_exact_rows(exact)
    removed += rows
    quantized = bool(operators & (ROUNDED.keys() | _FEW_BITS))
    if removed:
        return Read(_written_out(exact), exact, source, removed, quantized)
    return Read(_written_out(exact), source, quantized=quantized)


def _with_exact_rows(source: Source) -> tuple[Source, int]:
    """Products with weights of few bits that do not round their rows, and how many did."""
    nodes, changed = [], 0
    for proto in source.model.graph.node:
        level = next((a for a in proto.attribute if a.name == _LEVEL), None)
        if proto.op_type == "MatMulNBits" and level is not None and level.i > _F32_ROWS:
            exact = type(proto)()
            exact.CopyFrom(proto)
            next(a for a in exact.attribute if a.name == _LEVEL).i = _F32_ROWS
            nodes.append(exact)
            changed += 1
        else:
            nodes.append(proto)
    return (rebuilt(source, nodes, {}), changed) if changed else (source, 0)


def _without_grids(source: Source) -> tuple[Source, int]:
    grids, nodes = Grids(), []
    constants, weights = dict(source.constants), {}
    for proto, node in protos(source):
        if node is None:
            nodes.append(proto)
            continue
        grids.makers.update((name, node) for name in node.outputs)
        if node.op not in ROUNDED:
            _follow(node, grids, constants)
            nodes.append(proto)
            continue
        w = Writer(node, constants, source.opset)
        try:
            ROUNDED[node.op](w, grids)
        except NotWritten as cause:
            raise _unread(source, node.label, str(cause)) from cause
        nodes.extend(w.nodes)
        weights.update(w.weights)
        constants.update(w.weights)
    left = next((n for n in nodes_within(nodes) if n.op_type in ROUNDED or n.op_type in _UNREAD), None)
    if left is not None:
        raise _unread(source, label_of(left.op_type, left.name, left.output), "it is not read in this place")
    loose = next((name for name in source.outputs if name in grids.on or name in grids.sums), None)
    if loose is not None:
        raise _unread(source, f"output {loose!r}", "the output is integers")
    return folded(rebuilt(source, nodes, weights)), grids.removed


def _follow(node: Node, grids: Grids, constants: Mapping[str, Any]) -> None:
    """What a node that is kept does to integers that are numbers now."""
    first = node.inputs[0] if node.inputs else ""
    touched = [name for name in node.inputs if name in grids.on or name in grids.sums or name in grids.picked]
    if node.op == "Gather" and first in constants and constants[first].dtype.itemsize == 1:
        grids.picked[node.outputs[0]] = node
    if not touched or node.op in SHAPE_OPS:
        return
    if node.op in LAYOUT and touched == [first] and first in grids.on:
        grids.on.update((name, grids.on[first]) for name in node.outputs)
    elif node.op == "Concat" and all(n in grids.on and grids.on[n].same(grids.on[touched[0]]) for n in node.inputs):
        grids.on[node.outputs[0]] = grids.on[first]
    elif not (node.op == "Cast" and first in grids.sums and node.attributes["to"] == FLOAT):
        raise _unread_by(node)


def _unread_by(node: Node) -> CompileError:
    return CompileError(
        "C005", f"a quantized ONNX that is not read: {node.op} works on its integers", node.label,
        "compile from the fp32 ONNX; potstill quantizes itself (--scheme int8)",
    )  # fmt: skip


def _unread(source: Source, where: str, cause: str) -> CompileError:
    return CompileError(
        "C005", f"a quantized ONNX that is not read: {where}: {cause}", str(source.path),
        "compile from the fp32 ONNX; potstill quantizes itself (--scheme int8)",
    )  # fmt: skip


def _written_out(source: Source) -> Source:
    """Fused operators as standard ones; `causes` of the result say why one is not."""
    found = [node for node in source.nodes if _full_name(node) in FUSED]
    if not found:
        return source
    shapes = _shapes(source, [name for node in found for name in node.inputs])
    nodes, weights, causes = [], {}, {}
    for proto, node in protos(source):
        rewrite = None if node is None else FUSED.get(_full_name(node))
        if node is None or rewrite is None:
            nodes.append(proto)
            continue
        w = Writer(node, source.constants, source.opset, shapes)
        try:
            rewrite(w)
        except NotWritten as cause:
            causes[node.outputs[0]] = str(cause)
            nodes.append(proto)
            continue
        nodes.extend(w.nodes)
        weights.update(w.weights)
    result = rebuilt(source, nodes, weights)
    result.causes.update(causes)
    return result


def _full_name(node: Node) -> str:
    return f"{node.domain}.{node.op}" if node.domain else node.op


def _shapes(source: Source, names: list[str]) -> dict[str, tuple[int, ...]]:
    """Shapes of values at one short text."""
    inputs = classify_inputs(source)
    wanted = [name for name in dict.fromkeys(names) if name and name not in source.constants]
    feed = inputs.feed(sample_ids(source, inputs.ids, inputs.fixed_length or PROBE_LENGTH, seed=0))
    found = run_onnx(source, feed, [name for name in wanted if name not in feed])
    return {name: value.shape for name, value in {**found, **feed}.items() if hasattr(value, "shape")}
