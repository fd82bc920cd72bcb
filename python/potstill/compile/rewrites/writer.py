"""What a file of `fused/` or `rounded/` has at hand: it writes the nodes that stand for one of the ONNX."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from potstill.compile.load import Node
from potstill.still.arrays import Array

MICROSOFT = "com.microsoft"
FLOAT = 1  # TensorProto.FLOAT


class NotWritten(Exception):
    """This use of an operator is not rewritten; the message says why, in the user's words."""


@dataclass
class Writer:
    """Collects the nodes and constants that stand for `node`.

    `shapes` are those of the node's inputs that are not stored, for one short text; `opset` is the version of the
    standard operators.
    """

    node: Node
    constants: Mapping[str, Array]
    opset: int
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    nodes: list[Any] = field(default_factory=list)
    weights: dict[str, Array] = field(default_factory=dict)

    # --- the node ---

    def input(self, index: int) -> str:
        """The name of an input; empty when it is left out."""
        return self.node.inputs[index] if index < len(self.node.inputs) else ""

    def needed(self, index: int) -> str:
        """The name of an input without which the node means nothing."""
        return self.input(index) or self._lacks(index)

    def _lacks(self, index: int) -> str:
        raise NotWritten(f"its input {index} is missing")

    def wants(self, index: int) -> bool:
        """Whether the output has a name."""
        return index < len(self.node.outputs) and bool(self.node.outputs[index])

    def number(self, name: str, otherwise: float) -> float:
        return float(self.node.attributes.get(name, otherwise))

    def whole(self, name: str, otherwise: int) -> int:
        return int(self.node.attributes.get(name, otherwise))

    def refuse_inputs(self, first: int, what: str) -> None:
        """Refuse inputs from number `first` on: they are `what`."""
        if any(self.node.inputs[first:]):
            raise NotWritten(what)

    def refuse_outputs(self, first: int) -> None:
        if any(self.node.outputs[first:]):
            raise NotWritten("it has more outputs than the result")

    # --- values ---

    def shape(self, name: str) -> tuple[int, ...]:
        found = self.constants[name].shape if name in self.constants else self.shapes.get(name)
        if found is None:
            raise NotWritten(f"the shape of its input {name!r} is not known")
        return tuple(found)

    def stored(self, name: str, what: str) -> Array:
        """A constant of the graph."""
        if name not in self.constants:
            raise NotWritten(f"{what} is not stored in the file")
        return self.constants[name]

    # --- writing ---

    def op(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Write a node with one output; the output's name."""
        return self.ops(1, kind, *inputs, domain=domain, **attributes)[0]

    def ops(self, outputs: int, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> list[str]:
        """Write a node; the names of its outputs."""
        from onnx import helper

        name = f"{self.node.outputs[0]}/{kind}.{len(self.nodes)}"
        made = [name, *(f"{name}.{i}" for i in range(1, outputs))]
        self.nodes.append(helper.make_node(kind, list(inputs), made, name, domain=domain, **attributes))
        return made

    def const(self, value: Any, dtype: Any = np.float32) -> str:
        return self.keep(f"{self.node.outputs[0]}/const.{len(self.weights)}", value, dtype)

    def keep(self, name: str, value: Any, dtype: Any = np.float32) -> str:
        """Store a constant under this name."""
        self.weights[name] = np.asarray(value, dtype, order="C")
        return name

    def ints(self, *values: int) -> str:
        return self.const(values, np.int64)

    def result(self, value: str, index: int = 0) -> None:
        """`value` is the node's output of that number."""
        from onnx import helper

        name = self.node.outputs[index]
        self.nodes.append(helper.make_node("Identity", [value], [name], f"{name}/result"))

    # --- short forms, valid in every opset from 11 on ---

    def add(self, x: str, other: str) -> str:
        """x + other; x alone when `other` is left out."""
        return self.op("Add", x, other) if other else x

    def f32(self, x: str) -> str:
        return self.op("Cast", x, to=FLOAT)

    def unsqueeze(self, x: str, *axes: int) -> str:
        if self.opset >= 13:
            return self.op("Unsqueeze", x, self.ints(*axes))
        return self.op("Unsqueeze", x, axes=list(axes))

    def columns(self, x: str, start: int, end: int) -> str:
        """Columns of the last axis."""
        return self.op("Slice", x, self.ints(start), self.ints(end), self.ints(-1))

    def norm(self, x: str, gamma: str, beta: str, epsilon: float) -> str:
        """Layer norm over the last axis."""
        inputs = [x, gamma, beta] if beta else [x, gamma]
        return self.op("LayerNormalization", *inputs, axis=-1, epsilon=epsilon)

    def dequantized(self, x: str, scale: str, zero: str) -> str:
        """(x - zero) * scale in f32, with one scale and zero point, or one a column."""
        whole = self.f32(x)
        if zero:
            whole = self.op("Sub", whole, self.f32(zero))
        return self.op("Mul", whole, scale)


Rewrite = Callable[[Writer], None]
