"""How an ONNX tensor lies over a plain matrix [token, column]: reshapes and transposes as bookkeeping, not as work.

Exporters write the same attention with many different Reshape/Transpose/Split/Squeeze sequences. Each axis of a tensor
is kept as a tuple of atoms, an atom being a run of steps along tokens or columns of the underlying matrix; then all
of these operators only regroup, permute or cut atoms, and what reaches a MatMul says by itself where heads,
head columns and tokens are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

COLUMN = "c"
KEY = "s"  # second token axis of attention scores


@dataclass(frozen=True)
class Atom:
    """`size` steps of `stride` along `kind`; the stride of tokens and keys is 1."""

    kind: str
    size: int
    stride: int = 1


Axis = tuple[Atom, ...]
Axes = tuple[Axis, ...]


class ViewError(Exception):
    """The operation cannot be expressed on the matrix; the caller names the node."""


def axis(kind: str, size: int) -> Axis:
    """An axis of `size` steps; empty (size 1) axes hold no atom."""
    return (Atom(kind, size),) if size != 1 else ()


def size_of(ax: Axis) -> int:
    return math.prod(atom.size for atom in ax)


def shape_of(axes: Axes) -> tuple[int, ...]:
    return tuple(size_of(ax) for ax in axes)


def atoms_of(axes: Axes) -> list[Atom]:
    return [atom for ax in axes for atom in ax]


def merge(atoms: Sequence[Atom]) -> list[Atom]:
    """Join neighbours that together are one run: (h, stride d)(d, stride 1) -> (h*d, stride 1)."""
    joined: list[Atom] = []
    for atom in atoms:
        last = joined[-1] if joined else None
        if last and last.kind == atom.kind == COLUMN and last.stride == atom.size * atom.stride:
            joined[-1] = Atom(COLUMN, last.size * atom.size, atom.stride)
        else:
            joined.append(atom)
    return joined


def reshape(axes: Axes, shape: Sequence[int]) -> Axes:
    """Regroup the atoms, in order, into axes of the given sizes; column runs are split where a size asks for it.

    Raises:
        ViewError: the new shape cuts through an atom (it would mix tokens and columns).
    """
    pending = merge(atoms_of(axes))
    result: list[Axis] = []
    for size in shape:
        taken: list[Atom] = []
        missing = size
        while missing > 1:
            if not pending:
                raise ViewError("the new shape is larger than the tensor")
            atom = pending.pop(0)
            if missing % atom.size == 0:
                taken.append(atom)
                missing //= atom.size
            elif atom.size % missing == 0:
                rest = atom.size // missing
                taken.append(Atom(atom.kind, missing, atom.stride * rest))
                pending.insert(0, Atom(atom.kind, rest, atom.stride))
                if atom.kind != COLUMN:
                    raise ViewError("the token axis would be split")
                missing = 1
            else:
                raise ViewError("the new shape mixes tokens and columns")
        result.append(tuple(merge(taken)))
    if pending:
        raise ViewError("the new shape is smaller than the tensor")
    return tuple(result)


def cut(axes: Axes, index: int, start: int, size: int) -> tuple[Axes, int]:
    """Keep `size` steps from `start` of column axis `index`: the new axes and how many columns to skip.

    Raises:
        ViewError: the axis is not one run of columns.
    """
    atoms = merge(axes[index])
    if start == 0 and size == size_of(axes[index]):
        return axes, 0
    if len(atoms) != 1 or atoms[0].kind != COLUMN:
        raise ViewError("only a run of columns can be cut")
    atom = atoms[0]
    kept: Axis = (Atom(COLUMN, size, atom.stride),) if size > 1 else ()
    return (*axes[:index], kept, *axes[index + 1 :]), start * atom.stride


def is_plain(axes: Axes, width: int) -> bool:
    """Whether the last axis is the whole row of columns, in order, and no other axis holds columns."""
    if not axes:
        return width == 1
    last = merge(axes[-1])
    whole = last == [Atom(COLUMN, width)] or (width == 1 and not last)
    return whole and all(atom.kind != COLUMN for ax in axes[:-1] for atom in ax)
