"""What a graph does with the token ids besides looking up embeddings.

`ids == pad` is false for every id but one. A value of that kind is taken for constant, and the ids for which it is
another are forbidden inside a text: the file lists them and the core refuses them. This is right only for ids that
texts do not contain. A model that asks for the end of the text, for separators or for a mask token is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from potstill.compile.load import Node, Source
from potstill.compile.run import SHAPE_OPS, run_onnx
from potstill.errors import CompileError
from potstill.still.arrays import Array

if TYPE_CHECKING:
    from potstill.compile.specialise import Inputs, Specialised

# Of an id that texts contain its piece; None for an id that no text has.
Piece = Callable[[int], str | None]

# A value that differs for more ids than this is not a test for special tokens.
_MOST = 8

# Operators that give a value for each id from that id alone, and those that only lay values out.
_BY_ID = frozenset(
    {
        "Abs", "Add", "And", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor", "Cast", "CastLike", "Ceil", "Clip",
        "Div", "Equal", "Floor", "Greater", "GreaterOrEqual", "Identity", "IsInf", "IsNaN", "Less", "LessOrEqual",
        "Max", "Min", "Mod", "Mul", "Neg", "Not", "Or", "Pow", "Relu", "Round", "Sign", "Sqrt", "Sub", "Where", "Xor",
    }
)  # fmt: skip
_LAYOUT = frozenset({"Expand", "Flatten", "Reshape", "Squeeze", "Unsqueeze"})

_MAKES_TABLES = frozenset({"Cast", "Div", "Identity", "Mul", "Reshape", "Transpose"})

# Operators that find places in the text, and the one that counts from its start.
PICKS = frozenset({"ArgMax", "ArgMin", "TopK", "NonZero"})
_COUNTS = "CumSum"


@dataclass(frozen=True)
class IdTest:
    """A value that is the same for every id but a few, the `others`."""

    node: Node
    others: tuple[int, ...]


def vocabulary(source: Source, ids_name: str) -> int | None:
    """Rows of the table that the token ids select from; None when none is found (the interpreter then says why)."""
    aliases = {ids_name}
    for node in source.nodes:
        if node.op in _LAYOUT | {"Cast", "Identity", "Transpose"} and node.inputs[0] in aliases:
            aliases.update(node.outputs)
        elif node.op == "Gather" and node.inputs[1] in aliases:
            table = _table(source, node.inputs[0])
            if table is not None:
                return next(iter(table.shape), None)
    return None


def _table(source: Source, name: str) -> Array | None:
    """A table that is stored, or made of stored numbers alone: cast from another type, scaled, transposed."""
    if name in source.constants:
        return source.constants[name]
    makers = {output: node for node in source.nodes for output in node.outputs}
    pending = [name]
    while pending:
        maker = makers.get(pending[-1])
        if pending.pop() in source.constants:
            continue
        if maker is None or maker.op not in _MAKES_TABLES:
            return None
        pending.extend(maker.inputs)
    return np.asarray(run_onnx(source, {}, [name])[name])


def sample_ids(source: Source, ids_name: str, length: int, *, seed: int, without: Sequence[int] = ()) -> list[int]:
    """Random token ids of the model's vocabulary, without the lowest ones (padding and other specials)."""
    rows = vocabulary(source, ids_name) or 8
    lowest = min(rows // 4, 1000)
    ids = [int(i) for i in np.random.default_rng(seed).integers(lowest, rows, length)]
    spare = next((i for i in range(lowest, rows) if i not in without), lowest)
    return [spare if i in without else i for i in ids]


def id_tests(source: Source, inputs: Inputs) -> dict[str, IdTest]:
    """The values that are the same for nearly every id, by name: each is tried with all ids of the vocabulary."""
    size = vocabulary(source, inputs.ids)
    derived, varying = {inputs.ids}, set(inputs.dtypes)
    tests: dict[str, IdTest] = {}
    if size is None:
        return tests
    for node in source.nodes:
        if varying.intersection(node.inputs):
            varying.update(node.outputs)
        if node.domain or not derived.intersection(node.inputs):
            continue
        if node.op in _LAYOUT:
            derived.update(node.outputs[:1] if node.inputs[0] in derived else [])
        elif node.op in _BY_ID and all(
            name in derived or (name not in varying and _same_everywhere(source, inputs, name)) for name in node.inputs
        ):
            values = _by_id(source, inputs, node.outputs[0], size)
            if values is None:
                continue
            kinds, counts = np.unique(values, return_counts=True)
            others = np.flatnonzero(values != kinds[counts.argmax()])
            if len(others) <= min(_MOST, size // 4):
                tests[node.outputs[0]] = IdTest(node, tuple(int(i) for i in others))
            else:
                derived.add(node.outputs[0])
    return tests


def _same_everywhere(source: Source, inputs: Inputs, name: str) -> bool:
    """Whether a constant is the same for every place of a text; of a fixed length it may have a number for each."""
    if inputs.fixed_length is None or not name:
        return True
    value = np.asarray(source.constants[name] if name in source.constants else run_onnx(source, {}, [name])[name])
    return bool((value == value.reshape(-1)[:1]).all())


def _by_id(source: Source, inputs: Inputs, name: str, size: int) -> Array | None:
    """The value for each id of the vocabulary; None when it is none of the id alone."""
    block = inputs.fixed_length or size
    everything = np.arange(-(-size // block) * block) % size
    found = []
    try:
        for ids in (everything, everything[::-1]):
            parts = [run_onnx(source, inputs.feed(part), [name])[name] for part in ids.reshape(-1, block).tolist()]
            found.append(np.concatenate([np.asarray(part).reshape(-1) for part in parts]))
    except CompileError:
        return None
    forwards, backwards = found
    if forwards.size != everything.size or not np.array_equal(forwards, backwards[::-1]):
        return None
    return forwards[:size]


def forbidden_ids(graph: Specialised, wanted: Iterable[str], piece: Piece | None) -> tuple[int, ...]:
    """The ids for which the graph, read as `specialise` does, would be wrong.

    Args:
        graph: the specialised graph.
        wanted: the outputs that are taken.
        piece: tells which ids texts contain; None when no tokenizer is known.

    Raises:
        CompileError: the model asks for an id that texts contain, or can only work with it.
    """
    found: set[int] = set()
    needed = _needed(graph, wanted)
    for name, test in graph.tests.items():
        if name not in needed or not test.others:
            continue
        use = _use(graph, name)
        for i in test.others:
            text = None if piece is None else piece(i)
            if text is not None or (piece is None and use.looks_for):
                named = f"the id {i}" if text is None else f"the id {i} ({text!r})"
                raise CompileError("C102", f"the model {use.words.format(named)}", test.node.label, use.step)
        found.update(test.others)
    return tuple(sorted(found))


def _needed(graph: Specialised, wanted: Iterable[str]) -> set[str]:
    """Names of the values that the outputs are computed from."""
    needed = set(wanted)
    for node in reversed(graph.source.nodes):
        if needed.intersection(node.outputs) and node.op not in SHAPE_OPS:
            needed.update(node.inputs)
    return needed


@dataclass(frozen=True)
class _Use:
    """What a model does with a certain id; `looks_for`: it cannot work in a text without that id."""

    words: str
    looks_for: bool
    step: str


_POOLS = _Use("pools at {}", True, "use a model that pools by mean or by the first token, or the onnxruntime backend")
_SPLITS = _Use(
    "counts {} to number tokens or texts", True,
    "export it with token_type_ids as an input (and --pairs), or run it with the onnxruntime backend",
)  # fmt: skip
_TREATS = _Use(
    "treats {} as a special case, though texts contain it", False,
    "give that token its own row of the embedding table, or run the model with the onnxruntime backend",
)  # fmt: skip


def _use(graph: Specialised, name: str) -> _Use:
    """What the value `name` is for, by what is computed from it in a text without the id."""
    derived = {name}
    for node in graph.source.nodes:
        mine = [n for n in node.inputs if n in derived]
        if not mine:
            continue
        nowhere = any(n in graph.values and not np.any(graph.values[n]) for n in mine)
        tainted = any(n in graph.shapes for n in node.outputs)
        if nowhere and node.op in PICKS:
            return _POOLS
        if nowhere and node.op == _COUNTS:
            return _SPLITS
        if tainted and ((nowhere and node.op == "Mul") or (node.op == "Where" and _drops_all(graph, node))):
            return _POOLS
        if not tainted:
            derived.update(node.outputs)
    return _TREATS


def _drops_all(graph: Specialised, node: Node) -> bool:
    """A Where that leaves nothing of the values that depend on the text."""
    condition = graph.values.get(node.inputs[0])
    if condition is None or not (condition.all() or not condition.any()):
        return False
    return node.inputs[1 if condition.all() else 2] not in graph.shapes


def compared_with(source: Source, ids_name: str) -> list[int]:
    """Whole numbers that the graph compares ids with, or computes with what it made of them."""
    size = vocabulary(source, ids_name) or 0
    derived = {ids_name}
    found: set[int] = set()
    for node in source.nodes:
        looks_up = node.op == "Gather" and node.inputs[1] in derived
        if looks_up or node.op in SHAPE_OPS or not derived.intersection(node.inputs):
            continue
        derived.update(node.outputs)
        constants = [source.constants[name] for name in node.inputs if name in source.constants]
        for value in constants:
            if node.op not in _LAYOUT and value.size <= _MOST and value.dtype.kind in "iuf":
                found.update(int(v) for v in value.reshape(-1).tolist() if 0 <= v < size and v == int(v))
    return sorted(found)
