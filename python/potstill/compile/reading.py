"""What reads one ONNX node after another has at hand: the meaning of each value, and how operands are taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from potstill.compile.expr import SCORES, TOKENS, Const, Elementwise, Expr, Ids, Tensor
from potstill.compile.ids import PICKS
from potstill.compile.load import Node
from potstill.compile.specialise import Specialised
from potstill.compile.views import ViewError, atoms_of, axis, is_plain, shape_of
from potstill.errors import CompileError
from potstill.still.arrays import Array

Value = Tensor | Const


def unsupported(node: Node, why: str = "") -> CompileError:
    """An operator, or a use of it, that the core has no equivalent for."""
    name = f"{node.domain}.{node.op}" if node.domain else node.op
    step = "run this model with the onnxruntime backend, or change the model so that it does without"
    if node.domain:
        step = "export again without the optimiser that made this operator"
    what = f"the operator {name} is not supported{' here: ' + why if why else ''}"
    return CompileError("C006", what, node.label, step)


def more_than_look_up(node: Node) -> CompileError:
    """The ids themselves are computed with."""
    picks = " (pooling at the largest id, as CLIP does, or at a certain one)" if node.op in PICKS else ""
    return CompileError(
        "C102", f"the model does more with the token ids than look up their embeddings: {node.op}{picks}", node.label,
        "export it with pooling by mean or by the first token and with token types as an input, "
        "or run it with the onnxruntime backend",
    )  # fmt: skip


class Reader:
    """State of one walk; `values[name]` is the meaning of each value that depends on the ids.

    Args:
        handlers: what reads a node, by domain and operator.
        condensers: each tells what a tree has become, or None.
    """

    def __init__(
        self, graph: Specialised, handlers: Mapping[tuple[str, str], Handler],
        condensers: Sequence[Callable[[Expr], Expr | None]],
    ) -> None:  # fmt: skip
        self.graph, self.handlers, self.condensers = graph, handlers, condensers
        self.values: dict[str, Tensor] = {
            graph.inputs.ids: Tensor(Ids(TOKENS, 1, graph.inputs.ids), (axis("one", 1), axis("t", graph.length)))
        }

    def run(self, outputs: Sequence[str]) -> dict[str, Tensor]:
        """Interpret all nodes that lead to the named outputs; the meaning of every value on the way.

        Raises:
            CompileError: something the core cannot run, naming operator and node.
        """
        needed = set(outputs)
        wanted = []
        for node in reversed(self.graph.nodes):
            if needed.intersection(node.outputs):
                wanted.append(node)
                needed.update(node.inputs)
        for node in reversed(wanted):
            self._step(node)
        return self.values

    def _step(self, node: Node) -> None:
        handler = self.handlers.get((node.domain, node.op))
        if handler is None:
            if self._reads_ids(node):
                raise more_than_look_up(node)
            raise unsupported(node, self.graph.source.causes.get(node.outputs[0], ""))
        try:
            results = handler(self, node)
        except ViewError as error:
            if self._reads_ids(node):
                raise more_than_look_up(node) from error
            raise unsupported(node, str(error)) from error
        for name, tensor in zip(node.outputs, results, strict=False):
            if not name:
                continue
            expected = self.graph.shapes.get(name)
            if expected is not None and shape_of(tensor.axes) != tuple(expected):
                raise unsupported(node, f"its result has shape {list(expected)}, understood as {shape_of(tensor.axes)}")
            self.values[name] = tensor

    def _reads_ids(self, node: Node) -> bool:
        return any(name in self.values and isinstance(self.values[name].expr, Ids) for name in node.inputs)

    # --- operands ---

    def value(self, node: Node, index: int) -> Value:
        name = node.inputs[index]
        if name in self.values:
            return self.values[name]
        if name in self.graph.values:
            return Const(self.graph.values[name], name)
        raise unsupported(node, f"the value {name!r} is not a tensor")

    def tensor(self, node: Node, index: int = 0) -> Tensor:
        value = self.value(node, index)
        if isinstance(value, Const):
            raise unsupported(node, f"input {index} is a constant")
        return value

    def constant(self, node: Node, index: int) -> Array | None:
        """A constant input, or None when absent."""
        if index >= len(node.inputs) or not node.inputs[index]:
            return None
        value = self.value(node, index)
        if isinstance(value, Tensor):
            raise unsupported(node, f"input {index} depends on the text")
        return value.value

    def integers(self, node: Node, index: int, attribute: str) -> list[int] | None:
        """Integers that older opsets keep in an attribute and newer ones in an input."""
        if attribute in node.attributes:
            found = node.attributes[attribute]
            return [int(i) for i in found] if isinstance(found, list | tuple) else [int(found)]
        array = self.constant(node, index)
        return None if array is None else [int(i) for i in array.reshape(-1)]

    # --- values made of others ---

    def join(self, node: Node, op: str, a: Tensor, b: Tensor) -> Tensor:
        """Two tensors that depend on the text, element by element."""
        if a.expr.rows != b.expr.rows or SCORES in (a.expr.rows, b.expr.rows):
            raise unsupported(node, "its two inputs are of different kinds")
        wide, narrow = (a, b) if a.expr.width >= b.expr.width else (b, a)
        one_column = narrow.expr.width == 1 and wide.expr.width > 1
        if one_column:
            if not is_plain(wide.axes, wide.expr.width) or atoms_of(wide.axes[:-1]) != atoms_of(narrow.axes):
                raise unsupported(node, "its inputs are laid out differently")
        elif wide.expr.width != narrow.expr.width or a.axes != b.axes or a.offset != b.offset:
            if atoms_of(a.axes) != atoms_of(b.axes) or a.offset != b.offset or wide.expr.width != narrow.expr.width:
                raise unsupported(node, "its inputs are laid out differently")
            wide = a if len(a.axes) >= len(b.axes) else b
        return self.elementwise(op, (a.expr, b.expr), wide, node)

    def elementwise(self, op: str, args: tuple[Expr | Const, ...], like: Tensor, node: Node) -> Tensor:
        """A tensor laid out like `like`; a tree that has become an operator is condensed at once."""
        expr: Expr = Elementwise(like.expr.rows, like.expr.width, node.label, op, args)
        if op in ("Add", "Mul", "Div", "Sub"):
            expr = next((found for one in self.condensers if (found := one(expr)) is not None), expr)
        return Tensor(expr, like.axes, like.offset)


Handler = Callable[[Reader, Node], list[Tensor]]
