"""What a MatMul means: a linear layer, attention scores, attention context or a pooling by mask."""

from __future__ import annotations

import numpy as np

from potstill.compile import layout
from potstill.compile.expr import (
    SCORES,
    SEQUENCES,
    TOKENS,
    Const,
    Context,
    Elementwise,
    Ids,
    Product,
    Reduced,
    Scores,
    Softmax,
    Tensor,
    evaluate,
    walk,
)
from potstill.compile.load import Node
from potstill.compile.views import Atom, Axes, Axis, ViewError, atoms_of, axis, is_plain, merge, reshape
from potstill.errors import CompileError


def product(node: Node, a: Tensor | Const, b: Tensor | Const) -> Tensor:
    """The meaning of `a @ b`.

    Raises:
        CompileError: the operands are not those of attention.
        ViewError: a form with no equivalent.
    """
    if isinstance(a, Tensor) and isinstance(b, Const):
        return _linear(node, a, b)
    if isinstance(a, Const) and isinstance(b, Tensor):
        return _mask_pool(node, a, b)
    assert isinstance(a, Tensor) and isinstance(b, Tensor)
    if isinstance(a.expr, Softmax):
        return _context(node, a, b)
    if a.expr.rows == b.expr.rows == TOKENS:
        return _scores(node, a, b)
    raise _attention(node, "a product of two values that depend on the text")


def _linear(node: Node, x: Tensor, weight: Const) -> Tensor:
    if weight.value.ndim != 2 or isinstance(x.expr, Ids) or x.expr.rows == SCORES:
        raise ViewError("only rows times a constant matrix")
    if not is_plain(x.axes, x.expr.width) or x.offset:
        raise ViewError("the rows are cut or rearranged")
    outputs = weight.value.shape[1]
    expr = Product(x.expr.rows, outputs, node.label, x.expr, weight.value.T, weight.name)
    return Tensor(expr, (*x.axes[:-1], axis("c", outputs)))


def _mask_pool(node: Node, mask: Const, x: Tensor) -> Tensor:
    """[.., 1, length] @ [.., length, width] with equal weights: a sum over tokens."""
    value = mask.value
    plain = is_plain(x.axes, x.expr.width) and x.expr.rows == TOKENS
    if not plain or len(x.axes) < 2 or value.size != np.prod([a.size for a in x.axes[-2]], dtype=np.int64):
        raise ViewError("a constant matrix times rows")
    if not np.all(value == value.reshape(-1)[0]):
        raise CompileError("C013", "a weighted pooling is not supported", node.label, "use mean or CLS pooling")
    total = Reduced(SEQUENCES, x.expr.width, node.label, x.expr, "sum")
    scale = Const(value.reshape(-1)[0].astype(np.float64).reshape(()))
    axes: Axes = (*x.axes[:-2], (), x.axes[-1]) if value.ndim > 1 else (*x.axes[:-2], x.axes[-1])
    return Tensor(Elementwise(SEQUENCES, x.expr.width, node.label, "Mul", (total, scale)), axes)


def _scores(node: Node, a: Tensor, b: Tensor) -> Tensor:
    """[heads, tokens, d] @ [heads, d, tokens]."""
    if len(a.axes) < 2 or len(b.axes) < 2:
        raise _attention(node, "operands of one dimension")
    tokens = list(a.axes[-2])
    keys = list(b.axes[-1])
    if not (_is(tokens, "t") and _is(keys, "t")):
        raise _attention(node, "the operands are not [.., tokens, d] and [.., d, tokens]")
    q = layout.columns_of(a, _columns(node, a.axes[:-2]), _columns(node, a.axes[-1:]))
    k = layout.columns_of(b, _columns(node, b.axes[:-2]), _columns(node, b.axes[-2:-1]))
    if q.index.shape != k.index.shape:
        raise _attention(node, "query and key have different heads (grouped queries)")
    expr = Scores(SCORES, q.index.shape[0], node.label, q, k)
    batch = _head_axes(a.axes[:-2])
    return Tensor(expr, (*batch, tuple(tokens), (Atom("s", keys[0].size),)))


def _head_axes(axes: Axes) -> Axes:
    """The batch axes of scores, numbering heads 0, 1, ... in the order of the atoms."""
    stride = int(np.prod([atom.size for atom in atoms_of(axes)], dtype=np.int64))
    result: list[Axis] = []
    for ax in axes:
        atoms = []
        for atom in ax:
            stride //= atom.size
            atoms.append(Atom("c", atom.size, stride))
        result.append(tuple(merge(atoms)))
    return tuple(result)


def softmax(node: Node, x: Tensor, at: int) -> Tensor:
    """Softmax over keys of scores times a number.

    Raises:
        CompileError: another softmax inside the encoder; a softmax over the classes at the end.
    """
    if x.expr.rows == SEQUENCES:
        raise probabilities("softmax", node.label)
    scores = [item for item in walk(x.expr) if isinstance(item, Scores)]
    if x.expr.rows != SCORES or len(scores) != 1 or [a.kind for a in x.axes[at]] != ["s"]:
        raise _attention(node, "a softmax over something else than keys")
    # Whatever is done to the scores must be a multiplication by one number: points on a line through 0, far ones for
    # scores that are clipped.
    points = np.array([[1.0, 0.0, -3.0, 100.0, -100.0, 1e4, -1e4]])
    values = evaluate(x.expr, scores[0], points)[0]
    scale = values[0]
    if not np.isfinite(scale) or scale <= 0.0 or not np.allclose(values, scale * points[0], rtol=1e-9, atol=0.0):
        raise _attention(node, "the scores are changed by more than a scale before softmax")
    expr = Softmax(SCORES, x.expr.width, node.label, scores[0], float(scale))
    return Tensor(expr, x.axes)


def probabilities(kind: str, where: str) -> CompileError:
    """The output is no longer what probabilities are computed from."""
    step = "export the model with logits as output; potstill computes the probabilities"
    if kind == "sigmoid":
        step += " (--activation sigmoid of a score, multi_label of several labels)"
    return CompileError("C018", f"the model ends in a {kind}: its output is probabilities, not logits", where, step)


def _context(node: Node, p: Tensor, v: Tensor) -> Tensor:
    """[heads, tokens, keys] @ [heads, keys, d] -> [heads, tokens, d]."""
    assert isinstance(p.expr, Softmax)
    if len(v.axes) < 2 or v.expr.rows != TOKENS or not _is(list(v.axes[-2]), "t"):
        raise _attention(node, "the values are not [.., tokens, d]")
    if [a.kind for a in p.axes[-1]] != ["s"] or not _is(list(p.axes[-2]), "t"):
        raise _attention(node, "the probabilities are transposed")
    heads = p.expr.width
    value = layout.columns_of(v, _columns(node, v.axes[:-2]), _columns(node, v.axes[-1:]))
    if value.index.shape[0] != heads or _head_axes(v.axes[:-2]) != p.axes[:-2]:
        raise _attention(node, "values have other heads than the probabilities")
    size = value.index.shape[1]
    expr = Context(TOKENS, heads * size, node.label, p.expr, value)
    batch = tuple(tuple(Atom("c", a.size, a.stride * size) for a in ax) for ax in p.axes[:-2])
    return Tensor(expr, (*batch, p.axes[-2], axis("c", size)))


def attention(node: Node, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(scale * q k^T) v of one Attention node; operands [1, heads, tokens, d] or [1, tokens, heads * d]."""
    at = node.attributes
    heads = (int(at.get("q_num_heads", 0)), int(at.get("kv_num_heads", 0)))
    flat = len(q.axes) == 3
    if flat:
        if heads[0] < 1 or heads[0] != heads[1]:
            raise _attention(node, "query and key have different heads (grouped queries)")
        q, k, v = (_split_heads(x, heads[0]) for x in (q, k, v))
    if any(len(x.axes) != 4 for x in (q, k, v)):
        raise _attention(node, "operands that are not [batch, heads, tokens, d]")
    turned = Tensor(k.expr, (*k.axes[:2], k.axes[3], k.axes[2]), k.offset)
    scores = product(node, q, turned)
    size = int(np.prod([atom.size for atom in q.axes[3]], dtype=np.int64))
    scale = Const(np.asarray(at["scale"] if at.get("scale") else 1.0 / np.sqrt(size), np.float64))
    scaled = Elementwise(SCORES, scores.expr.width, node.label, "Mul", (scores.expr, scale))
    context = product(node, softmax(node, Tensor(scaled, scores.axes), 3), v)
    if flat:
        batch, by_head, tokens, within = context.axes
        return Tensor(context.expr, (batch, tokens, tuple(merge([*by_head, *within]))))
    return context


def _split_heads(x: Tensor, heads: int) -> Tensor:
    """[1, tokens, heads * d] -> [1, heads, tokens, d]."""
    batch, tokens, columns = x.axes
    width = int(np.prod([atom.size for atom in columns], dtype=np.int64))
    by_head, within = reshape((columns,), (heads, width // heads))
    return Tensor(x.expr, (batch, by_head, tokens, within), x.offset)


def einsum(node: Node, a: Tensor | Const, b: Tensor | Const, equation: str) -> Tensor:
    """Two-operand contractions over one index, as transposes around a MatMul."""
    left, _, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != 2 or not right or not isinstance(a, Tensor) or any(len(set(t)) != len(t) for t in (*terms, right)):
        raise ViewError(f"the equation {equation!r}")
    first, second = terms
    batch = [c for c in right if c in first and c in second]
    rows = [c for c in right if c in first and c not in second]
    columns = [c for c in right if c in second and c not in first]
    summed = [c for c in first if c in second and c not in right]
    if not summed or len(batch) + len(rows) + len(columns) != len(right):
        raise ViewError(f"the equation {equation!r}")

    def grouped(tensor: Tensor, term: str, groups: list[list[str]]) -> Tensor:
        if set(term) != {c for group in groups for c in group}:
            raise ViewError(f"the equation {equation!r}")
        by_letter = dict(zip(term, tensor.axes, strict=True))
        axes = tuple(tuple(merge([atom for c in group for atom in by_letter[c]])) for group in groups)
        return Tensor(tensor.expr, axes, tensor.offset)

    singles = [[c] for c in batch]
    if isinstance(b, Const):
        if batch or sorted(second) != sorted(summed + columns):
            raise ViewError(f"the equation {equation!r}")
        order = [second.index(c) for c in summed + columns]
        shape = dict(zip(second, b.value.shape, strict=True))
        sizes = [int(np.prod([shape[c] for c in group], dtype=np.int64)) for group in (summed, columns)]
        weight = Const(b.value.transpose(order).reshape(sizes), b.name)
        result = product(node, grouped(a, first, [*[[c] for c in rows], summed]), weight)
        inner = {c: shape[c] for c in columns}
    else:
        x = grouped(a, first, [*singles, rows, summed])
        y = grouped(b, second, [*singles, summed, columns])
        result = product(node, x, y)
        if len(rows) != 1 or len(columns) != 1:
            raise ViewError(f"the equation {equation!r}")
        inner = {}
    named: dict[str, Axis] = dict(zip([*batch, *rows], result.axes[:-1], strict=True))
    if inner:
        stride = int(np.prod(list(inner.values()), dtype=np.int64))
        for letter, size in inner.items():
            stride //= size
            named[letter] = (Atom("c", size, stride),) if size > 1 else ()
    else:
        named[columns[0]] = result.axes[-1]
    return Tensor(result.expr, tuple(named[c] for c in right), result.offset)


def _is(atoms: list[Atom], kind: str) -> bool:
    return len(atoms) == 1 and atoms[0].kind == kind


def _columns(node: Node, axes: Axes) -> list[Atom]:
    atoms = atoms_of(axes)
    if any(atom.kind != "c" for atom in atoms):
        raise _attention(node, "heads and tokens are mixed")
    return atoms


def _attention(node: Node, why: str) -> CompileError:
    return CompileError(
        "C012", f"this attention is not understood: {why}", node.label,
        "export with attn_implementation='eager', or run this model with the onnxruntime backend",
    )  # fmt: skip
