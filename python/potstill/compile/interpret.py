"""Walk the specialised graph once and give every ONNX value its meaning as an expression (expr.py)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from potstill.compile import layout, matmul
from potstill.compile.expr import (
    FUNCTIONS,
    SEQUENCES,
    TOKENS,
    Const,
    Elementwise,
    Ids,
    IsNan,
    Lookup,
    Tensor,
)
from potstill.compile.load import Node
from potstill.compile.ops import OPS
from potstill.compile.reading import Handler, Reader, more_than_look_up, unsupported
from potstill.compile.specialise import Specialised
from potstill.compile.views import Axes, axis, reshape, shape_of
from potstill.errors import CompileError
from potstill.still.arrays import Array

_BINARY = {"Add", "Sub", "Mul", "Div", "Pow", "Max", "Min"}
_UNARY = {"Sqrt", "Reciprocal", "Neg", "Abs", "Exp", "Log", "Erf", "Tanh", "Relu", "Sigmoid", "Softplus"}
_FLOATS = (1, 11)  # TensorProto FLOAT, DOUBLE
_INTEGERS = (6, 7)  # INT32, INT64


def interpret(graph: Specialised, outputs: Sequence[str]) -> dict[str, Tensor]:
    """The meaning of every value on the way to the named outputs.

    Raises:
        CompileError: something the core cannot run, naming operator and node.
    """
    return Reader(graph, _HANDLERS, [op.condense for op in OPS]).run(outputs)


def known(node: Node) -> bool:
    """Whether the core has an equivalent for this kind of operator, in some use of it."""
    return (node.domain, node.op) in _HANDLERS


# --- elementwise ---


def _binary(it: Reader, node: Node) -> list[Tensor]:
    values = [it.value(node, i) for i in range(len(node.inputs))]
    if len(values) != 2:
        raise unsupported(node, "it does not have two inputs")
    a, b = values
    shape = it.graph.shapes[node.outputs[0]]
    if any(isinstance(v, Tensor) and isinstance(v.expr, Ids) for v in values):
        raise more_than_look_up(node)
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return [it.join(node, node.op, a, b)]
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
    return [it.elementwise(node.op, args, tensor, node)]


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


def _unary(it: Reader, node: Node) -> list[Tensor]:
    x = it.tensor(node)
    if isinstance(x.expr, Ids):
        raise more_than_look_up(node)
    return [it.elementwise(node.op, (x.expr,), x, node)]


def _gelu(it: Reader, node: Node) -> list[Tensor]:
    x = it.tensor(node)
    if len(node.inputs) > 1:
        bias = it.value(node, 1)
        if not isinstance(bias, Const):
            raise unsupported(node)
        operand = layout.constant_operand(node, x, bias, shape_of(x.axes))
        x = it.elementwise("Add", (x.expr, operand), x, node)
    tanh = node.op == "FastGelu" or node.attributes.get("approximate", "none") == "tanh"
    return [it.elementwise("GeluTanh" if tanh else "Gelu", (x.expr,), x, node)]


def _clip(it: Reader, node: Node) -> list[Tensor]:
    """Clip, written as Max and Min so that one table of functions serves."""
    x = it.tensor(node)
    for op, index, key in (("Max", 1, "min"), ("Min", 2, "max")):
        bound = node.attributes.get(key) if key in node.attributes else it.constant(node, index)
        if bound is not None and np.abs(np.asarray(bound)) < 3e38:
            x = it.elementwise(op, (x.expr, Const(np.asarray(bound, np.float32).reshape(()))), x, node)
    return [x]


def _cast(it: Reader, node: Node) -> list[Tensor]:
    x = it.tensor(node)
    allowed = _INTEGERS if isinstance(x.expr, Ids) else _FLOATS
    if isinstance(x.expr, Ids) and node.attributes["to"] not in allowed:
        raise more_than_look_up(node)
    if node.attributes["to"] not in allowed:
        raise unsupported(node, "conversion of values that depend on the text")
    return [x]


def _same(it: Reader, node: Node) -> list[Tensor]:
    return [it.tensor(node)]


def _is_nan(it: Reader, node: Node) -> list[Tensor]:
    x = it.tensor(node)
    return [Tensor(IsNan(x.expr.rows, x.expr.width, node.label, x.expr), x.axes, x.offset)]


def _where(it: Reader, node: Node) -> list[Tensor]:
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


def _gather(it: Reader, node: Node) -> list[Tensor]:
    data, indices = it.value(node, 0), it.value(node, 1)
    at = int(node.attributes.get("axis", 0))
    if isinstance(indices, Tensor):
        table = data.value if isinstance(data, Const) else None
        if not isinstance(indices.expr, Ids) or table is None or table.ndim != 2 or at not in (0, -2):
            raise CompileError(
                "C015", "token ids look up something other than rows of an embedding table", node.label,
                "only absolute position embeddings and one word embedding table are supported",
            )  # fmt: skip
        expr = Lookup(TOKENS, table.shape[1], node.label, table, node.inputs[0])
        return [Tensor(expr, (*indices.axes, axis("c", table.shape[1])))]
    assert isinstance(data, Tensor)
    return [layout.take(node, data, at % len(data.axes), indices.value)]


def _reduce(it: Reader, node: Node) -> list[Tensor]:
    x = it.tensor(node)
    rank = len(x.axes)
    axes = it.integers(node, 1, "axes") or list(range(rank))
    keep = bool(node.attributes.get("keepdims", 1))
    kind = "mean" if node.op == "ReduceMean" else "sum"
    return [layout.reduce(node, x, sorted(a % rank for a in axes), keep, kind)]


def _reduce_squares(it: Reader, node: Node) -> list[Tensor]:
    """ReduceL2 and ReduceSumSquare over columns: a length, or its square."""
    x = it.tensor(node)
    if isinstance(x.expr, Ids):
        raise unsupported(node, "arithmetic on token ids")
    rank = len(x.axes)
    axes = it.integers(node, 1, "axes") or list(range(rank))
    keep = bool(node.attributes.get("keepdims", 1))
    squares = it.elementwise("Mul", (x.expr, x.expr), x, node)
    total = layout.reduce(node, squares, sorted(a % rank for a in axes), keep, "sum")
    return [it.elementwise("Sqrt", (total.expr,), total, node) if node.op == "ReduceL2" else total]


# --- layout ---


def _to_shape(it: Reader, node: Node) -> list[Tensor]:
    """Reshape, Flatten, Squeeze, Unsqueeze: the resulting shape is known, the atoms only regroup."""
    x = it.tensor(node)
    return [Tensor(x.expr, reshape(x.axes, it.graph.shapes[node.outputs[0]]), x.offset)]


def _expand(it: Reader, node: Node) -> list[Tensor]:
    x = it.tensor(node)
    shape = it.graph.shapes[node.outputs[0]]
    if int(np.prod(shape)) != int(np.prod(shape_of(x.axes))):
        if x.expr.width == 1 and not isinstance(x.expr, Ids) and shape_of(x.axes) == (*shape[:-1], 1):
            return [_one_to_many(x, int(shape[-1]))]
        raise unsupported(node, "it repeats values")
    return _to_shape(it, node)


def _transpose(it: Reader, node: Node) -> list[Tensor]:
    x = it.tensor(node)
    order = node.attributes.get("perm") or list(reversed(range(len(x.axes))))
    axes: Axes = tuple(x.axes[i] for i in order)
    return [Tensor(x.expr, axes, x.offset)]


def _split(it: Reader, node: Node) -> list[Tensor]:
    x = it.tensor(node)
    at = int(node.attributes.get("axis", 0)) % len(x.axes)
    start, results = 0, []
    for name in node.outputs:
        size = it.graph.shapes[name][at]
        results.append(layout.narrow(node, x, at, start, size))
        start += size
    return results


def _slice(it: Reader, node: Node) -> list[Tensor]:
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


def _softmax(it: Reader, node: Node) -> list[Tensor]:
    x = it.tensor(node)
    at = int(node.attributes.get("axis", -1 if it.graph.source.opset >= 13 else 1)) % len(x.axes)
    return [matmul.softmax(node, x, at)]


def _log_softmax(it: Reader, node: Node) -> list[Tensor]:
    if it.tensor(node).expr.rows == SEQUENCES:
        raise matmul.probabilities("log-softmax", node.label)
    raise unsupported(node)


def _matmul(it: Reader, node: Node) -> list[Tensor]:
    return [matmul.product(node, it.value(node, 0), it.value(node, 1))]


def _gemm(it: Reader, node: Node) -> list[Tensor]:
    """alpha * A B (+ beta * C), with A the rows and B the weight."""
    x, weight = it.tensor(node, 0), it.value(node, 1)
    at = node.attributes
    if at.get("transA", 0) or not isinstance(weight, Const):
        raise unsupported(node, "only rows times a constant weight")
    matrix = weight.value.T if at.get("transB", 0) else weight.value
    result = matmul.product(node, x, Const(matrix, weight.name))
    if at.get("alpha", 1.0) != 1.0:
        alpha = Const(np.asarray(at["alpha"], np.float32))
        result = it.elementwise("Mul", (result.expr, alpha), result, node)
    bias = it.value(node, 2) if len(node.inputs) > 2 and node.inputs[2] else None
    if bias is None or at.get("beta", 1.0) == 0.0:
        return [result]
    if isinstance(bias, Tensor):
        return [it.join(node, "Add", result, bias)]
    scaled = Const(bias.value * np.float32(at.get("beta", 1.0)), bias.name)
    if not np.any(scaled.value):
        return [result]
    operand = layout.constant_operand(node, result, scaled, shape_of(result.axes))
    return [it.elementwise("Add", (result.expr, operand), result, node)]


def _einsum(it: Reader, node: Node) -> list[Tensor]:
    return [matmul.einsum(node, it.value(node, 0), it.value(node, 1), str(node.attributes["equation"]))]


_HANDLERS: dict[tuple[str, str], Handler] = {
    **{("", op): _binary for op in _BINARY},
    **{("", op): _unary for op in _UNARY if op in FUNCTIONS},
    **{("", op): _to_shape for op in ("Reshape", "Flatten", "Squeeze", "Unsqueeze")},
    **{("", op): _same for op in ("Identity", "Dropout")},
    **{("", op): _reduce for op in ("ReduceMean", "ReduceSum")},
    **{("", op): _reduce_squares for op in ("ReduceL2", "ReduceSumSquare")},
    ("", "Gelu"): _gelu,
    ("com.microsoft", "Gelu"): _gelu,
    ("com.microsoft", "BiasGelu"): _gelu,
    ("com.microsoft", "FastGelu"): _gelu,
    ("", "Clip"): _clip,
    ("", "Cast"): _cast,
    ("", "IsNaN"): _is_nan,
    ("", "Where"): _where,
    ("", "Gather"): _gather,
    ("", "Expand"): _expand,
    ("", "Transpose"): _transpose,
    ("", "Split"): _split,
    ("", "Slice"): _slice,
    ("", "Softmax"): _softmax,
    ("", "LogSoftmax"): _log_softmax,
    ("", "MatMul"): _matmul,
    ("", "Gemm"): _gemm,
    ("", "Einsum"): _einsum,
    **{key: handler for op in OPS for key, handler in op.reads.items()},
}
