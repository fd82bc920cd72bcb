"""At which lengths a graph may begin to compute otherwise: around every number that a length meets.

A graph is read at one short length. Windows, slices, conditionals and scales that change with the length show only
beyond a number that is somewhere in the graph, or at the greatest length.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from potstill.compile.load import Node
from potstill.compile.run import SHAPE_OPS
from potstill.compile.specialise import Specialised

# Operators that hold a length or place against a number, or compute with both.
_MEETING = frozenset(
    {
        "Add", "Clip", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Min", "Mod", "Mul",
        "Pad", "Pow", "Range", "Slice", "Split", "Sub", "Trilu", "Where",
    }
)  # fmt: skip
# Those that cut the text itself by fixed numbers.
_CUTTING = frozenset({"Slice", "Split", "Pad", "Trilu", "Gather"})
# Numbers in larger constants are weights, not bounds.
_FEW = 8


def lengths_around(graph: Specialised, longest: int) -> list[int]:
    """Lengths up to `longest` on both sides of each number that a length, a place or a token axis meets."""
    found: set[int] = set()
    for number in _numbers(graph):
        found.update(range(number - 1, number + 3))
    return sorted(n for n in found if 1 <= n <= longest)


def _numbers(graph: Specialised) -> Iterator[int]:
    inputs = graph.inputs
    derived = {name for name in (inputs.mask, inputs.token_types, inputs.positions) if name is not None}
    for node in graph.source.nodes:
        tainted = any(name in graph.shapes for name in node.outputs)
        meets = any(name in derived for name in node.inputs)
        if not tainted and (meets or node.op in SHAPE_OPS):
            derived.update(name for name in node.outputs if name)
        if (node.op in _MEETING and meets) or (node.op in _CUTTING and tainted and _cuts_tokens(graph, node)):
            yield from _constants(graph, node, derived)


def _cuts_tokens(graph: Specialised, node: Node) -> bool:
    """Whether an axis of tokens is cut, not one of columns or heads."""
    shape = graph.shapes.get(node.inputs[0], ())
    axes = node.attributes.get("axes", node.attributes.get("axis"))
    if node.op == "Slice" and len(node.inputs) > 3 and node.inputs[3] in graph.values:
        axes = graph.values[node.inputs[3]].reshape(-1).tolist()
    chosen = range(len(shape)) if axes is None else [int(axis) for axis in np.atleast_1d(axes)]
    return any(shape[axis] == graph.length for axis in chosen if -len(shape) <= axis < len(shape))


def _constants(graph: Specialised, node: Node, derived: set[str]) -> Iterator[int]:
    """Whole numbers among a node's constants, of logarithms what they are the logarithm of."""
    attributes = [v for key, v in node.attributes.items() if key in ("starts", "ends", "split", "pads", "min", "max")]
    values = [graph.values[name] for name in node.inputs if name in graph.values and name not in derived]
    for value in (*values, *(np.asarray(v) for v in attributes)):
        if value.size > _FEW or value.dtype.kind not in "iuf":
            continue
        for number in np.abs(value.reshape(-1).astype(np.float64)).tolist():
            if not np.isfinite(number) or number > 1e6:
                continue
            if number == int(number):
                yield int(number)
            elif number < np.log(1e6):
                yield round(float(np.exp(number)))
