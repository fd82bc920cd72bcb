"""Layout questions the interpreter asks: constants laid over rows, slices, reductions, pooling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from potstill.compile.expr import (
    SCORES,
    SEQUENCES,
    TOKENS,
    Columns,
    Const,
    Elementwise,
    Ids,
    Reduced,
    Tensor,
)
from potstill.compile.load import Node
from potstill.compile.views import Atom, Axes, ViewError, atoms_of, cut, is_plain, merge, shape_of
from potstill.errors import CompileError
from potstill.still.arrays import Array


def constant_operand(node: Node, tensor: Tensor, const: Const, shape: Sequence[int]) -> Const:
    """The constant as number, [width] vector or [length, width] matrix of the tensor's underlying rows.

    Raises:
        CompileError: a position bias on attention scores.
        ViewError: the constant widens the tensor, or meets only a part of its columns.
    """
    value = np.asarray(const.value)
    if value.size and np.all(value == value.reshape(-1)[0]):
        if shape_of(tensor.axes) != tuple(shape):
            raise ViewError("a constant that widens the tensor")
        return Const(value.reshape(-1)[0].astype(np.float32).reshape(()), const.name)
    if tensor.expr.rows == SCORES:
        raise CompileError(
            "C012", "a bias that depends on positions is added to the attention scores", node.label,
            "only absolute position embeddings are supported: run this model with the onnxruntime backend",
        )  # fmt: skip
    if shape_of(tensor.axes) != tuple(shape):
        raise ViewError("a constant that widens the tensor")
    atoms = atoms_of(tensor.axes)
    columns = [i for i, atom in enumerate(atoms) if atom.kind == "c"]
    rows = [i for i, atom in enumerate(atoms) if atom.kind != "c"]
    if tensor.offset or int(np.prod([atoms[i].size for i in columns], dtype=np.int64)) != tensor.expr.width:
        raise ViewError("a constant for a part of the columns")
    columns.sort(key=lambda i: -atoms[i].stride)
    full = np.broadcast_to(value, shape).reshape([atom.size for atom in atoms])
    matrix = full.transpose(rows + columns).reshape(-1, tensor.expr.width).astype(np.float32)
    if np.array_equal(matrix, np.broadcast_to(matrix[0], matrix.shape)):
        return Const(np.ascontiguousarray(matrix[0]), const.name)
    return Const(np.ascontiguousarray(matrix), const.name)


def narrow(node: Node, x: Tensor, at: int, start: int, size: int) -> Tensor:
    """`size` steps from `start` of one axis; the first token of the token axis is CLS pooling."""
    ax = x.axes[at]
    if start == 0 and size == shape_of(x.axes)[at]:
        return x
    if any(atom.kind == "t" for atom in ax):
        if isinstance(x.expr, Ids):
            raise ViewError("a part of the token ids")
        if start != 0 or size != 1 or len(ax) != 1:
            raise _pooling(node, "a choice of tokens other than the first")
        axes: Axes = (*x.axes[:at], (), *x.axes[at + 1 :])
        return Tensor(Reduced(SEQUENCES, x.expr.width, node.label, x.expr, "cls"), axes, x.offset)
    axes, skip = cut(x.axes, at, start, size)
    return Tensor(x.expr, axes, x.offset + skip)


def take(node: Node, x: Tensor, at: int, indices: Array) -> Tensor:
    """Gather along one axis of a tensor, by one index or a run of consecutive ones."""
    size = shape_of(x.axes)[at]
    flat = [int(i) % size for i in indices.reshape(-1)]
    if not flat or flat != list(range(flat[0], flat[0] + len(flat))):
        raise ViewError("indices that are not consecutive")
    part = narrow(node, x, at, flat[0], len(flat))
    if indices.ndim == 0:
        return Tensor(part.expr, (*part.axes[:at], *part.axes[at + 1 :]), part.offset)
    if indices.ndim == 1:
        return part
    raise ViewError("indices of more than one dimension")


def reduce(node: Node, x: Tensor, axes: list[int], keep: bool, kind: str) -> Tensor:
    """ReduceMean/ReduceSum: over columns (part of a layer norm), or over tokens (pooling)."""
    kinds = {atom.kind for at in axes for atom in x.axes[at]}
    rest: Axes = tuple(() if i in axes else ax for i, ax in enumerate(x.axes) if keep or i not in axes)
    if not kinds:
        return Tensor(x.expr, rest, x.offset)
    if kinds == {"c"} and is_plain(x.axes, x.expr.width) and x.expr.rows in (TOKENS, SEQUENCES):
        return Tensor(Elementwise(x.expr.rows, 1, node.label, kind, (x.expr,)), rest)
    if kinds == {"t"} and x.expr.rows == TOKENS and not isinstance(x.expr, Ids):
        length = shape_of(tuple(x.axes[at] for at in axes))
        total = Reduced(SEQUENCES, x.expr.width, node.label, x.expr, "sum")
        if kind == "sum":
            return Tensor(total, rest, x.offset)
        scale = Const(np.asarray(1.0 / int(np.prod(length)), np.float64))
        return Tensor(Elementwise(SEQUENCES, x.expr.width, node.label, "Mul", (total, scale)), rest, x.offset)
    raise _pooling(node, "a reduction over something else than tokens or columns")


def columns_of(tensor: Tensor, heads: Sequence[Atom], within: Sequence[Atom]) -> Columns:
    """Column numbers [heads, head size] of one attention operand."""
    return Columns(tensor.expr, tensor.offset + _steps(heads)[:, None] + _steps(within)[None, :])


def _steps(atoms: Sequence[Atom]) -> Array:
    index = np.zeros(1, np.int64)
    for atom in merge(atoms):
        index = (index[:, None] + np.arange(atom.size)[None, :] * atom.stride).reshape(-1)
    return index


def _pooling(node: Node, what: str) -> CompileError:
    return CompileError("C013", f"{what} is not supported", node.label, "use mean or CLS pooling")
