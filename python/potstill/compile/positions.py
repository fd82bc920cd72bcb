"""The position table: how many rows the model has, and what is in them.

At a short length the interpreter saw which ONNX values are added to the word rows. onnxruntime computes the same values
at the greatest length the model allows, found by bisection: beyond its table the Gather fails.
"""

from __future__ import annotations

import numpy as np

from potstill.compile.ops import Embedding
from potstill.compile.ops.embedding import EmbeddingSum
from potstill.compile.run import run_onnx
from potstill.compile.specialise import Specialised
from potstill.errors import CompileError
from potstill.still.arrays import Array

# Nobody runs longer texts on these models; also the answer for a model without position embeddings.
LONGEST = 4096
NO_POSITIONS = 512


# Rows of a table of token types; BERT's family has two.
TYPES = 2
# Greatest difference of a type's row between positions, relative to its greatest value: it comes out of f32 sums.
_TYPE_TOLERANCE = 1e-4
_SINGLE = "compile it for single texts"


def resolve_embedding(found: EmbeddingSum, graph: Specialised, limit: int | None, *, pairs: bool = False) -> Embedding:
    """Word table and position table of at most `limit` rows.

    Args:
        found: the recognised sum.
        graph: the specialised graph it was found in.
        limit: rows wanted at most; None for as many as the model has.
        pairs: with the table of token types.

    Raises:
        CompileError: the positions are not absolute (row p differs with the length); pairs are asked for and
            the model has no token types, or none that are simply added.
    """
    matrices = [a for a in found.addends if a.const.is_matrix]
    names = [a.const.name for a in matrices]
    width = found.width
    if graph.inputs.fixed_length is not None:
        rows = graph.inputs.fixed_length
    elif not matrices:
        rows = NO_POSITIONS
    else:
        rows = _rows(graph, names, width, limit)
    rows = min(rows, limit) if limit is not None else rows
    computed: dict[str, Array] = {}
    if matrices and graph.inputs.fixed_length is None:
        computed = _at_length(graph, names, rows, width) or {}
    table = np.zeros((rows, width), np.float64)
    for addend in found.addends:
        value = addend.const.value.astype(np.float64)
        if addend.const.is_matrix and addend.const.name in computed:
            value = computed[addend.const.name].astype(np.float64)
            short = min(rows, graph.length)
            if not np.array_equal(value[:short].astype(np.float32), addend.const.value[:short]):
                raise CompileError(
                    "C015", "the position embeddings change with the length of the text", found.name,
                    "only absolute position embeddings are supported",
                )  # fmt: skip
        table += (value[:rows] if value.ndim == 2 else value) * addend.factor
    types = _types(found, graph) if pairs else None
    return Embedding(found.name, found.word(), table.astype(np.float32), types)


def _types(found: EmbeddingSum, graph: Specialised) -> Array:
    """[TYPES, width] f32: what each token type adds to a row more than type 0 does."""
    if graph.inputs.token_types is None:
        raise CompileError("C061", "the model does not tell token types apart", found.name, _SINGLE)
    # Rows of one type are all the same and may stand among the addends as one vector: computed values, all the same.
    computed = [a for a in found.addends if a.const.name and a.const.name not in graph.source.constants]
    rows = np.zeros((TYPES, found.width), np.float64)
    for kind in range(1, TYPES):
        change = np.zeros((graph.length, found.width), np.float64)
        before, after = (_of_type(graph, [a.const.name for a in computed], k) for k in (0, kind))
        for addend in computed:
            name = addend.const.name
            change += (after[name].astype(np.float64) - before[name].astype(np.float64)) * addend.factor
        size = np.abs(change).max()
        if size == 0:  # also where type 0 adds nothing: an addend of zeros is no longer in the graph
            raise CompileError("C061", f"token type {kind} changes nothing", found.name, _SINGLE)
        if not np.abs(change - change[0]).max() <= _TYPE_TOLERANCE * size:
            raise CompileError("C061", "the token types do more than add a row each", found.name, _SINGLE)
        rows[kind] = change.mean(axis=0)
    return rows.astype(np.float32)


def _of_type(graph: Specialised, names: list[str], kind: int) -> dict[str, Array]:
    """The named values as rows [length or 1, width or 1] for a text whose tokens are all of this type."""
    ids = [int(graph.sample_id)] * graph.length
    values = run_onnx(graph.source, graph.inputs.feed(ids, types=[kind] * graph.length), names) if names else {}
    return {name: np.atleast_2d(np.squeeze(value)) for name, value in values.items()}


def _rows(graph: Specialised, names: list[str], width: int, limit: int | None) -> int:
    """The greatest length at which the added values can be computed."""
    low, high = graph.length, LONGEST if limit is None else min(limit, LONGEST)
    if limit is not None and limit <= graph.length:
        return limit
    tables = [v.shape[0] for v in graph.source.constants.values() if v.ndim == 2 and v.shape[1] == width]
    plausible = sorted({rows for rows in tables if low < rows <= high} | {high}, reverse=True)
    for rows in plausible[:4]:  # nearly always one of the tables' own sizes
        if _at_length(graph, names, rows, width) is not None and _at_length(graph, names, rows + 1, width) is None:
            return rows
    if _at_length(graph, names, high, width) is not None:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if _at_length(graph, names, middle, width) is not None:
            low = middle
        else:
            high = middle
    return low


def _at_length(graph: Specialised, names: list[str], length: int, width: int, kind: int = 0) -> dict[str, Array] | None:
    """The named values [length, width] for a text of `length` tokens of type `kind`; None: there is no such length."""
    ids = [int(graph.sample_id)] * length
    try:
        values = run_onnx(graph.source, graph.inputs.feed(ids), names)
    except CompileError:
        return None
    result = {}
    for name, value in values.items():
        if value.size != length * width:
            return None
        result[name] = value.reshape(length, width)
    return result
