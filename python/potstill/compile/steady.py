"""Whether what was taken for constant is, at every length: scales, masks, positions, conditions, bounds of slices.

The graph is read at one short length, and compared with the original at some. A table of scales by length, a remainder
of the length or a stored mask may change the answers at a single length between. So the values that do not depend on
the ids are computed at every length, which is cheap without the encoder, and the whole model is compared where one of
them is not what the others let expect.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from potstill.compile.bounds import nodes_within
from potstill.compile.load import Node
from potstill.compile.run import SHAPE_OPS, run_onnx
from potstill.compile.specialise import Specialised
from potstill.errors import CompileError
from potstill.still.arrays import Array

_FEW = 8  # numbers of a value that are followed one by one
_BUDGET = 3e8  # numbers that are computed in all: about two seconds
_EACH = 6  # lengths at which the whole model is compared for one odd value
_IN_ALL = 24
_SECOND = 11  # tokens, to see which sizes grow; a prime, as the probe's length


DRAWS = ("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike")


def check_repeatable(graph: Specialised, wanted: Iterable[str]) -> None:
    """Refuse a model that draws random numbers on the way to these outputs: it has no one answer.

    Raises:
        CompileError: it does.
    """
    needed = set(wanted)
    for node in reversed(graph.source.nodes):
        if not needed.intersection(node.outputs) or node.op in SHAPE_OPS:
            continue
        needed.update(node.inputs)
        if not node.domain and (node.op in DRAWS or (node.op == "Dropout" and _drops(graph, node))):
            raise CompileError(
                "C170", f"the model draws random numbers ({node.op}): each answer is different", node.label,
                "export it for inference: model.eval() before torch.onnx.export",
            )  # fmt: skip


# Operators whose result has a size that the values of their inputs tell: of all inputs, or of those after the first.
_SIZED_BY_ALL = ("Compress", "ConstantOfShape", "NonMaxSuppression", "NonZero", "OneHot", "Range", "Unique")
_SIZED_BY_OTHERS = ("Expand", "Pad", "Reshape", "Resize", "Slice", "Split", "Tile", "TopK")


def check_sizes(graph: Specialised, wanted: Iterable[str]) -> None:
    """Refuse a model that uses the size of something whose size depends on the ids: it counts tokens by their ids.

    Raises:
        CompileError: it does.
    """
    conditions = (node.input[0] for node in nodes_within(graph.whole.model.graph.node) if node.op_type == "If")
    needed = {*wanted, *conditions}
    for node in reversed(graph.source.nodes):
        if needed.intersection(node.outputs):
            needed.update(node.inputs)
    loose: dict[str, Node] = {}  # values whose size depends on the ids, and what made it so
    for node in graph.source.nodes:
        telling = node.inputs if node.op in _SIZED_BY_ALL else node.inputs[1:] if node.op in _SIZED_BY_OTHERS else []
        cause = next((loose[name] for name in node.inputs if name in loose), None)
        if cause is None and any(name in graph.shapes for name in telling):
            cause = node
        if cause is None:
            continue
        if node.op in SHAPE_OPS and needed.intersection(node.outputs):
            raise CompileError(
                "C102", f"the model counts tokens by their ids or values: it uses the size of what {cause.op} gives",
                cause.label, "export a model that does without, or run it with the onnxruntime backend",
            )  # fmt: skip
        if node.op not in SHAPE_OPS:
            loose.update((name, cause) for name in node.outputs if name)


def _drops(graph: Specialised, node: Node) -> bool:
    """A dropout left in training mode."""
    ratio, training = ([*node.inputs, "", ""])[1:3]
    if not training:
        return False
    share = np.asarray(graph.values.get(ratio, 0.5))
    return bool(np.any(graph.values.get(training, True)) and np.any(share > 0.0))


@dataclass
class _Track:
    """A number at all lengths: where it is not constant, n + c, n * c or c / n. Which it is, most lengths tell."""

    misses: tuple[list[int], ...] = field(default_factory=lambda: ([], [], [], []))

    def see(self, at_probe: float, value: float, length: int, probe: int) -> None:
        ratio = length / probe
        expected = (at_probe, at_probe + length - probe, at_probe * ratio, at_probe / ratio)
        for missed, number in zip(self.misses, expected, strict=True):
            both_nan = number != number and value != value
            if not (both_nan or math.isclose(number, value, rel_tol=1e-6)):
                missed.append(length)

    def fail(self, length: int) -> None:
        for missed in self.misses:
            missed.append(length)

    def odd(self) -> list[int]:
        return min(self.misses, key=len)


def odd_lengths(graph: Specialised, wanted: Iterable[str], longest: int) -> list[int]:
    """Lengths up to `longest` at which a value that was taken for constant is not what it should be; the first and
    last ones and some between where there are many.

    Args:
        graph: the specialised graph.
        wanted: the outputs that are taken.
        longest: tokens of the longest text that the file accepts.
    """
    if longest < 2:
        return []
    names = _constant_operands(graph, wanted)
    second = min(longest, _SECOND)
    second -= second == graph.length
    given = [n for node in graph.source.nodes if node.op in SHAPE_OPS for n in node.outputs if _of_rows(graph, node)]
    try:
        seen = run_onnx(graph.source, _feed(graph, second), [*names, *given])
    except CompileError:
        return [second]
    shapes = {name: (graph.values[name], seen[name]) for name in given}
    steady = [name for name in names if seen[name].shape == graph.values[name].shape]
    growing = [] if graph.inputs.fixed_length is not None else [name for name in names if name not in steady]
    total = sum(_numbers(graph, name, longest) for name in growing)
    stride = max(1, int(np.ceil(total / _BUDGET)))
    found: set[int] = set()
    for group, step in ((steady, 1), (growing, stride)):
        if group:
            chosen = sorted({*range(1, longest, step), *range(1, min(longest, 2 * _SECOND)), longest})
            found |= _odd(graph, group, shapes, chosen, second)
    odd = _some(sorted(found), _IN_ALL)
    return sorted({*odd, max(odd[0] - 1, 1)}) if odd else []  # and the last length before them, which a limit can be


def odd_splits(graph: Specialised, wanted: Iterable[str], longest: int) -> list[int]:
    """Of texts of `longest` tokens, how many of the second type make a value other that was taken for constant.

    Args: as of `odd_lengths`.
    """
    seconds = range(1, longest)
    names = _constant_operands(graph, wanted)
    if graph.inputs.fixed_length is not None or graph.inputs.token_types is None or not names:
        return []
    given = [n for node in graph.source.nodes if node.op in SHAPE_OPS for n in node.outputs if _of_rows(graph, node)]
    ids = [graph.sample_id] * longest
    try:
        seen = run_onnx(graph.source, graph.inputs.feed(ids), [*names, *given])
        shapes = {name: seen[name] for name in given}
        # Rows of types and positions are compared as a whole with texts of two types (verify.py).
        names = [name for name in names if seen[name].shape == graph.values[name].shape]
        found = []
        for second in seconds if names else ():
            types = [0] * (longest - second) + [1] * second
            values = run_onnx(graph.source, graph.inputs.feed(ids, types=types), names, shapes)
            if not all(np.array_equal(values[name], seen[name]) for name in names):
                found.append(second)
    except CompileError:
        return []
    return _some(found, _EACH)


def _odd(
    graph: Specialised, names: list[str], shapes: Mapping[str, tuple[Array, Array]], lengths: list[int], second: int
) -> set[int]:
    """The odd ones among the lengths, for these values; the last of the lengths is the longest text."""
    tracks: dict[tuple[str, int], _Track] = {}
    whole: dict[str, Array] = {}
    found: set[int] = set()
    for length in reversed(lengths):
        slope = (length - graph.length) / (second - graph.length)
        given = {name: np.asarray(np.rint(a + (b - a) * slope), np.int64) for name, (a, b) in shapes.items()}
        try:
            values = run_onnx(graph.source, _feed(graph, length), names, given)
        except CompileError:
            found.add(length)
            continue
        for name in names:
            value, at_probe = np.asarray(values[name]), np.asarray(graph.values[name])
            if value.size == 0 or at_probe.size == 0:
                continue
            first = tracks.setdefault((name, 0), _Track())
            if _uniform(at_probe):
                if _uniform(value):
                    first.see(float(at_probe.flat[0]), float(value.flat[0]), length, graph.length)
                else:
                    first.fail(length)
            elif value.shape == at_probe.shape and value.size <= _FEW:
                for i, (a, b) in enumerate(zip(at_probe.flat, value.flat, strict=True)):
                    tracks.setdefault((name, i), _Track()).see(float(a), float(b), length, graph.length)
            elif not _begins(whole.setdefault(name, value), value):
                first.fail(length)
    for track in tracks.values():
        found.update(_some(sorted(track.odd()), _EACH))
    return found


def _uniform(value: Array) -> bool:
    flat = value.reshape(-1)
    return bool((flat == flat[0]).all())


def _begins(whole: Array, value: Array) -> bool:
    """Whether the value of the longest text begins with this one, as rows of positions do."""
    if whole.ndim != value.ndim or any(a < b for a, b in zip(whole.shape, value.shape, strict=True)):
        return False
    part = whole[tuple(slice(size) for size in value.shape)]
    return bool(np.allclose(part, value, rtol=1e-6, atol=1e-9, equal_nan=True))


def _constant_operands(graph: Specialised, wanted: Iterable[str]) -> list[str]:
    """Values that depend on the inputs, but not on the ids, and meet what depends on the ids, or choose a branch."""
    varying = set(graph.inputs.dtypes)
    for node in graph.source.nodes:
        if varying.intersection(node.inputs):
            varying.update(name for name in node.outputs if name)
    needed, found = set(wanted), []
    for node in reversed(graph.nodes):
        if needed.intersection(node.outputs):
            needed.update(node.inputs)
            found.extend(node.inputs)
    found.extend(node.input[0] for node in nodes_within(graph.whole.model.graph.node) if node.op_type == "If")
    free = varying.difference(graph.inputs.dtypes).intersection(graph.values)
    return [n for n in dict.fromkeys(found) if n in free and np.asarray(graph.values[n]).dtype.kind in "biuf"]


def _of_rows(graph: Specialised, node: Node) -> bool:
    """A shape of something that depends on the ids: it is told without computing that."""
    return node.inputs[0] in graph.shapes and node.inputs[0] != graph.inputs.ids


def _feed(graph: Specialised, length: int) -> dict[str, Array]:
    """A text of this length; a model of fixed length sees it padded."""
    fixed = graph.inputs.fixed_length
    if fixed is None:
        return graph.inputs.feed([graph.sample_id] * length)
    return graph.inputs.feed([graph.sample_id] * fixed, [1] * length + [0] * (fixed - length))


def _numbers(graph: Specialised, name: str, longest: int) -> float:
    """How many numbers the value has at all lengths together."""
    shape = np.asarray(graph.values[name]).shape
    grows = sum(size % graph.length == 0 for size in shape)
    rest = float(np.prod([size / graph.length if size % graph.length == 0 else size for size in shape]))
    return float(rest * longest ** (grows + 1) / (grows + 1))


def _some(lengths: list[int], most: int) -> list[int]:
    """The first, the last and others in equal steps."""
    if len(lengths) <= most:
        return lengths
    return sorted({lengths[round(i * (len(lengths) - 1) / (most - 1))] for i in range(most)})
