"""Walk the specialised graph once and give every ONNX value its meaning as an expression (expr.py)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potstill.compile import layout, matmul
from potstill.compile.expr import (
    FUNCTIONS,
    SCORES,
    SEQUENCES,
    TOKENS,
    Const,
    Elementwise,
    Expr,
    Ids,
    IsNan,
    Lookup,
    Norm,
    Tensor,
)
from potstill.compile.ids import PICKS
from potstill.compile.load import Node
from potstill.compile.passes.layer_norm import match_layer_norm
from potstill.compile.specialise import Specialised
from potstill.compile.views import Axes, ViewError, atoms_of, axis, is_plain, reshape, shape_of
from potstill.errors import CompileError

Array = NDArray[Any]
Value = Tensor | Const

_BINARY = {"Add", "Sub", "Mul", "Div", "Pow", "Max", "Min"}
_UNARY = {"Sqrt", "Reciprocal", "Neg", "Abs", "Exp", "Log", "Erf", "Tanh", "Relu", "Sigmoid", "Softplus"}
_FLOATS = (1, 11)  # TensorProto FLOAT, DOUBLE
_INTEGERS = (6, 7)  # INT32, INT64


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


def known(node: Node) -> bool:
    """Whether the core has an equivalent for this kind of operator, in some use of it."""
    return (node.domain, node.op) in _HANDLERS


class Interpreter:
    """State of one walk; `values[name]` is the meaning of each value that depends on the ids."""

    def __init__(self, graph: Specialised) -> None:
        self.graph = graph
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
        handler = _HANDLERS.get((node.domain, node.op))
        if handler is None:
            if self._reads_ids(node):
                raise more_than_look_up(node)
            raise unsupported(node)
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


# --- elementwise ---


def _binary(it: Interpreter, node: Node) -> list[Tensor]:
    values = [it.value(node, i) for i in range(len(node.inputs))]
    if len(values) != 2:
        raise unsupported(node, "it has not two inputs")
    a, b = values
    shape = it.graph.shapes[node.outputs[0]]
    if any(isinstance(v, Tensor) and isinstance(v.expr, Ids) for v in values):
        raise more_than_look_up(node)
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return [_join(node, node.op, a, b)]
    tensor, const = (a, b) if isinstance(a, Tensor) else (b, a)
    assert isinstance(tensor, Tensor) and isinstance(const, Const)
    same_shape = shape_of(tensor.axes) == tuple(shape)
    if same_shape and _neutral(node.op, const.value, const_first=tensor is b):
        return [tensor]
    widened = _widen(tensor, const, shape)
    if widened is not None:
        tensor, operand = widened
    else:
        operand = layout.constant_operand(node, tensor, const, shape)
    expr = tensor.expr
    args = (expr, operand) if isinstance(a, Tensor) else (operand, expr)
    return [elementwise(node.op, args, tensor, node)]


def _widen(x: Tensor, const: Const, shape: Sequence[int]) -> tuple[Tensor, Const] | None:
    """One number a row (a mean, a scale) meeting one number a column: as some layer norms multiply gamma early."""
    width = int(shape[-1]) if shape else 1
    if x.expr.width != 1 or width == 1 or const.value.size != width or shape_of(x.axes) != (*shape[:-1], 1):
        return None
    vector = np.asarray(const.value, np.float32).reshape(-1)
    return _one_to_many(x, width), Const(vector, const.name)


def _one_to_many(x: Tensor, width: int) -> Tensor:
    """One number a row, as often as there are columns."""
    wide = Elementwise(x.expr.rows, width, x.expr.node, "widen", (x.expr, Const(np.zeros(width, np.float32))))
    return Tensor(wide, (*x.axes[:-1], axis("c", width)))


def _neutral(op: str, value: Array, *, const_first: bool) -> bool:
    """x + 0, x - 0, x * 1, x / 1, x ** 1."""
    if op == "Add" or (op == "Sub" and not const_first):
        return not np.any(value)
    if op == "Mul" or (op in ("Div", "Pow") and not const_first):
        return bool(np.all(value == 1))
    return False


def _join(node: Node, op: str, a: Tensor, b: Tensor) -> Tensor:
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
    return elementwise(op, (a.expr, b.expr), wide, node)


def elementwise(op: str, args: tuple[Expr | Const, ...], like: Tensor, node: Node) -> Tensor:
    """A tensor laid out like `like`; a tree that has become a layer norm is recognised at once, to keep trees small."""
    expr: Expr = Elementwise(like.expr.rows, like.expr.width, node.label, op, args)
    if op in ("Add", "Mul", "Div", "Sub"):
        expr = match_layer_norm(expr) or expr
    return Tensor(expr, like.axes, like.offset)


def _unary(it: Interpreter, node: Node) -> list[Tensor]:
    x = it.tensor(node)
    if isinstance(x.expr, Ids):
        raise more_than_look_up(node)
    return [elementwise(node.op, (x.expr,), x, node)]


def _gelu(it: Interpreter, node: Node) -> list[Tensor]:
    x = it.tensor(node)
    if len(node.inputs) > 1:
        bias = it.value(node, 1)
        if not isinstance(bias, Const):
            raise unsupported(node)
        operand = layout.constant_operand(node, x, bias, shape_of(x.axes))
        x = elementwise("Add", (x.expr, operand), x, node)
    tanh = node.op == "FastGelu" or node.attributes.get("approximate", "none") == "tanh"
    return [elementwise("GeluTanh" if tanh else "Gelu", (x.expr,), x, node)]


def _clip(it: Interpreter, node: Node) -> list[Tensor]:
    """Clip, written as Max and Min so that one table of functions serves."""
    x = it.tensor(node)
    for op, index, key in (("Max", 1, "min"), ("Min", 2, "max")):
        bound = node.attributes.get(key) if key in node.attributes else it.constant(node, index)
        if bound is not None and np.abs(np.asarray(bound)) < 3e38:
            x = elementwise(op, (x.expr, Const(np.asarray(bound, np.float32).reshape(()))), x, node)
    return [x]


def _cast(it: Interpreter, node: Node) -> list[Tensor]:
    x = it.tensor(node)
    allowed = _INTEGERS if isinstance(x.expr, Ids) else _FLOATS
    if isinstance(x.expr, Ids) and node.attributes["to"] not in allowed:
        raise more_than_look_up(node)
    if node.attributes["to"] not in allowed:
        raise unsupported(node, "conversion of values that depend on the text")
    return [x]


def _same(it: Interpreter, node: Node) -> list[Tensor]:
    return [it.tensor(node)]


def _is_nan(it: Interpreter, node: Node) -> list[Tensor]:
    x = it.tensor(node)
    return [Tensor(IsNan(x.expr.rows, x.expr.width, node.label, x.expr), x.axes, x.offset)]


def _where(it: Interpreter, node: Node) -> list[Tensor]:
    condition = it.value(node, 0)
    if isinstance(condition, Tensor):
        other = it.value(node, 2)
        if isinstance(condition.expr, IsNan) and isinstance(other, Tensor) and condition.expr.x is other.expr:
            return [other]
        raise unsupported(node, "the condition depends on the text")
    if condition.value.all():
        chosen = it.value(node, 1)
    elif not condition.value.any():
        chosen = it.value(node, 2)
    else:
        raise unsupported(node, "a mask other than the padding mask (causal or windowed attention)")
    if isinstance(chosen, Const):
        raise unsupported(node, "all values are masked")
    return [chosen]


# --- rows ---


def _gather(it: Interpreter, node: Node) -> list[Tensor]:
    data, indices = it.value(node, 0), it.value(node, 1)
    at = int(node.attributes.get("axis", 0))
    if isinstance(indices, Tensor):
        table = data.value if isinstance(data, Const) else None
        if not isinstance(indices.expr, Ids) or table is None or table.ndim != 2 or at not in (0, -2):
            raise CompileError(
                "C015", "a look-up by token id other than rows of an embedding table", node.label,
                "only absolute position embeddings and one word embedding table are supported",
            )  # fmt: skip
        expr = Lookup(TOKENS, table.shape[1], node.label, table, node.inputs[0])
        return [Tensor(expr, (*indices.axes, axis("c", table.shape[1])))]
    assert isinstance(data, Tensor)
    return [layout.take(node, data, at % len(data.axes), indices.value)]


def _layer_norm(it: Interpreter, node: Node) -> list[Tensor]:
    x = it.tensor(node)
    gamma, beta = it.constant(node, 1), it.constant(node, 2)
    rank, at = len(x.axes), int(node.attributes.get("axis", -1))
    width = x.expr.width
    if at % rank != rank - 1 or not is_plain(x.axes, width) or gamma is None:
        raise unsupported(node, "only over the last dimension")
    shift = np.zeros(1, np.float32) if beta is None else beta
    if not {gamma.size, shift.size} <= {1, width}:
        raise unsupported(node, "scale and bias are not one value a column")
    gain, shift = (np.ascontiguousarray(np.broadcast_to(v.reshape(-1), (width,))) for v in (gamma, shift))
    expr = Norm(x.expr.rows, width, node.label, x.expr, gain, shift, float(node.attributes.get("epsilon", 1e-5)))
    return [Tensor(expr, x.axes)]


def _reduce(it: Interpreter, node: Node) -> list[Tensor]:
    x = it.tensor(node)
    rank = len(x.axes)
    axes = it.integers(node, 1, "axes") or list(range(rank))
    keep = bool(node.attributes.get("keepdims", 1))
    kind = "mean" if node.op == "ReduceMean" else "sum"
    return [layout.reduce(node, x, sorted(a % rank for a in axes), keep, kind)]


def _reduce_squares(it: Interpreter, node: Node) -> list[Tensor]:
    """ReduceL2 and ReduceSumSquare over columns: a length, or its square."""
    x = it.tensor(node)
    if isinstance(x.expr, Ids):
        raise unsupported(node, "arithmetic on token ids")
    rank = len(x.axes)
    axes = it.integers(node, 1, "axes") or list(range(rank))
    keep = bool(node.attributes.get("keepdims", 1))
    squares = elementwise("Mul", (x.expr, x.expr), x, node)
    total = layout.reduce(node, squares, sorted(a % rank for a in axes), keep, "sum")
    return [elementwise("Sqrt", (total.expr,), total, node) if node.op == "ReduceL2" else total]


def _lp_normalization(it: Interpreter, node: Node) -> list[Tensor]:
    x = it.tensor(node)
    last = len(x.axes) - 1
    if node.attributes.get("p", 2) != 2 or node.attributes.get("axis", -1) % len(x.axes) != last:
        raise unsupported(node, "only the L2 norm over the last dimension")
    if isinstance(x.expr, Ids):
        raise unsupported(node, "arithmetic on token ids")
    squares = elementwise("Mul", (x.expr, x.expr), x, node)
    total = layout.reduce(node, squares, [last], True, "sum")
    return [_join(node, "Div", x, elementwise("Sqrt", (total.expr,), total, node))]


# --- layout ---


def _to_shape(it: Interpreter, node: Node) -> list[Tensor]:
    """Reshape, Flatten, Squeeze, Unsqueeze: the resulting shape is known, the atoms only regroup."""
    x = it.tensor(node)
    return [Tensor(x.expr, reshape(x.axes, it.graph.shapes[node.outputs[0]]), x.offset)]


def _expand(it: Interpreter, node: Node) -> list[Tensor]:
    x = it.tensor(node)
    shape = it.graph.shapes[node.outputs[0]]
    if int(np.prod(shape)) != int(np.prod(shape_of(x.axes))):
        if x.expr.width == 1 and not isinstance(x.expr, Ids) and shape_of(x.axes) == (*shape[:-1], 1):
            return [_one_to_many(x, int(shape[-1]))]
        raise unsupported(node, "it repeats values")
    return _to_shape(it, node)


def _transpose(it: Interpreter, node: Node) -> list[Tensor]:
    x = it.tensor(node)
    order = node.attributes.get("perm") or list(reversed(range(len(x.axes))))
    axes: Axes = tuple(x.axes[i] for i in order)
    return [Tensor(x.expr, axes, x.offset)]


def _split(it: Interpreter, node: Node) -> list[Tensor]:
    x = it.tensor(node)
    at = int(node.attributes.get("axis", 0)) % len(x.axes)
    start, results = 0, []
    for name in node.outputs:
        size = it.graph.shapes[name][at]
        results.append(layout.narrow(node, x, at, start, size))
        start += size
    return results


def _slice(it: Interpreter, node: Node) -> list[Tensor]:
    x = it.tensor(node)
    starts, ends = it.integers(node, 1, "starts"), it.integers(node, 2, "ends")
    if starts is None or ends is None:
        raise unsupported(node)
    axes = it.integers(node, 3, "axes") or list(range(len(starts)))
    steps = it.integers(node, 4, "steps") or [1] * len(starts)
    for start, end, at, step in zip(starts, ends, axes, steps, strict=True):
        if step != 1:
            raise unsupported(node, "a step other than 1")
        size = shape_of(x.axes)[at % len(x.axes)]
        first, last, _ = slice(start, end).indices(size)
        x = layout.narrow(node, x, at % len(x.axes), first, last - first)
    return [x]


def _softmax(it: Interpreter, node: Node) -> list[Tensor]:
    x = it.tensor(node)
    at = int(node.attributes.get("axis", -1 if it.graph.source.opset >= 13 else 1)) % len(x.axes)
    return [matmul.softmax(node, x, at)]


def _log_softmax(it: Interpreter, node: Node) -> list[Tensor]:
    if it.tensor(node).expr.rows == SEQUENCES:
        raise matmul.probabilities("log-softmax", node.label)
    raise unsupported(node)


def _attention(it: Interpreter, node: Node) -> list[Tensor]:
    """The Attention operator of opset 23, without cache, causality or soft capping."""
    at = node.attributes
    mask = it.constant(node, 3)
    plain = mask is None or (mask.all() if mask.dtype == bool else not mask.any())
    if len([n for n in node.inputs if n]) > 4 or at.get("is_causal", 0) or at.get("softcap", 0.0) or not plain:
        raise unsupported(node, "only plain attention without cache, causal or other masks")
    return [matmul.attention(node, *(it.tensor(node, i) for i in range(3)))]


def _matmul(it: Interpreter, node: Node) -> list[Tensor]:
    return [matmul.product(node, it.value(node, 0), it.value(node, 1))]


def _gemm(it: Interpreter, node: Node) -> list[Tensor]:
    """alpha * A B (+ beta * C), with A the rows and B the weight."""
    x, weight = it.tensor(node, 0), it.value(node, 1)
    at = node.attributes
    if at.get("transA", 0) or not isinstance(weight, Const):
        raise unsupported(node, "only rows times a constant weight")
    matrix = weight.value.T if at.get("transB", 0) else weight.value
    result = matmul.product(node, x, Const(matrix, weight.name))
    if at.get("alpha", 1.0) != 1.0:
        alpha = Const(np.asarray(at["alpha"], np.float32))
        result = elementwise("Mul", (result.expr, alpha), result, node)
    bias = it.value(node, 2) if len(node.inputs) > 2 and node.inputs[2] else None
    if bias is None or at.get("beta", 1.0) == 0.0:
        return [result]
    if isinstance(bias, Tensor):
        return [_join(node, "Add", result, bias)]
    scaled = Const(bias.value * np.float32(at.get("beta", 1.0)), bias.name)
    if not np.any(scaled.value):
        return [result]
    operand = layout.constant_operand(node, result, scaled, shape_of(result.axes))
    return [elementwise("Add", (result.expr, operand), result, node)]


def _einsum(it: Interpreter, node: Node) -> list[Tensor]:
    return [matmul.einsum(node, it.value(node, 0), it.value(node, 1), str(node.attributes["equation"]))]


Handler = Callable[[Interpreter, Node], list[Tensor]]
_HANDLERS: dict[tuple[str, str], Handler] = {
    **{("", op): _binary for op in _BINARY},
    **{("", op): _unary for op in _UNARY if op in FUNCTIONS},
    **{("", op): _to_shape for op in ("Reshape", "Flatten", "Squeeze", "Unsqueeze")},
    **{("", op): _same for op in ("Identity", "Dropout")},
    **{("", op): _reduce for op in ("ReduceMean", "ReduceSum")},
    **{("", op): _reduce_squares for op in ("ReduceL2", "ReduceSumSquare")},
    ("", "LpNormalization"): _lp_normalization,
    ("", "Gelu"): _gelu,
    ("com.microsoft", "Gelu"): _gelu,
    ("com.microsoft", "BiasGelu"): _gelu,
    ("com.microsoft", "FastGelu"): _gelu,
    ("", "Clip"): _clip,
    ("", "Cast"): _cast,
    ("", "IsNaN"): _is_nan,
    ("", "Where"): _where,
    ("", "Gather"): _gather,
    ("", "LayerNormalization"): _layer_norm,
    ("", "Expand"): _expand,
    ("", "Transpose"): _transpose,
    ("", "Split"): _split,
    ("", "Slice"): _slice,
    ("", "Softmax"): _softmax,
    ("", "LogSoftmax"): _log_softmax,
    ("", "Attention"): _attention,
    ("", "MatMul"): _matmul,
    ("", "Gemm"): _gemm,
    ("", "Einsum"): _einsum,
}
