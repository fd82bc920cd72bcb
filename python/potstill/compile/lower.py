"""The fused graph and a scheme make a packed model: every weight in its stored type and layout."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from potstill.card import Card, Head
from potstill.compile.ir import Graph, Op, operator_names
from potstill.compile.ops import LayerNorm
from potstill.errors import CompileError
from potstill.runtime.oplist import OpFacts
from potstill.still import pack
from potstill.still.arrays import Array
from potstill.still.int4 import quantize_rows_int4
from potstill.still.packed import DTYPES, PackedModel, byte_view
from potstill.still.schema import fb, made, words
from potstill.still.schemes import Scheme

if TYPE_CHECKING:
    from potstill.compile.tokenizers import Tables

# What a file holds at most, as the core checks it when it loads one (cpp/src/format/reader.h).
_MOST_OPS, _WIDEST = 2048, 131_072
_TOKENS = (3, 8192)


class Lowering:
    """A model on its way into a file: tensors are added, each with its name, and stored once."""

    def __init__(self, graph: Graph, scheme: Scheme) -> None:
        self.graph, self.scheme = graph, scheme
        self.model = made(fb.ModelT, tensors=[], values=[], ops=[], heads=[])
        self.sections: list[Array] = []
        self.names = operator_names(graph)
        self.norm_behind = {id(op.x): op for op in graph.ordered() if isinstance(op, LayerNorm)}
        self._value_of: dict[int, int] = {}
        self._stored: dict[tuple[Any, ...], int] = {}
        self._rounded: dict[bytes, tuple[Array, Array]] = {}

    def tensor(self, name: str, dtype: str, value: Array, layout: str = "row_major") -> int:
        data = np.ascontiguousarray(value, np.int8 if dtype == "i4" else DTYPES[dtype])
        stored = pack.PACK[layout](data) if layout in pack.PACK else data
        return self._store(name, dtype, layout, value.shape, stored)

    def column_vector(self, name: str, dtype: str, value: Array) -> int:
        """Per-column vectors of a linear layer are stored padded to 16 entries."""
        data = pack.pad_vector(np.ascontiguousarray(value, DTYPES[dtype]))
        return self._store(name, dtype, "row_major", value.shape, data)

    def _store(self, name: str, dtype: str, layout: str, shape: tuple[int, ...], data: Array) -> int:
        """Equal tensors are stored once: layers that share weights (ALBERT) share their section."""
        digest = hashlib.blake2b(byte_view(data), digest_size=16).digest()
        key = (dtype, layout, shape, digest)
        if key not in self._stored:
            self._stored[key] = len(self.sections)
            self.sections.append(data)
            numbers = {"dtype": words(fb.DType)[dtype], "layout": words(fb.Layout)[layout]}
            self.model.tensors.append(made(fb.TensorT, name=name, shape=[int(n) for n in shape], **numbers))
        return self._stored[key]

    def int4(self, weight: Array, importance: Array | None) -> tuple[Array, Array]:
        """Rounded once for each weight, whatever the importance of the later uses: shared weights stay shared."""
        digest = hashlib.blake2b(byte_view(np.ascontiguousarray(weight)), digest_size=16).digest()
        if digest not in self._rounded:
            self._rounded[digest] = quantize_rows_int4(weight, importance)
        return self._rounded[digest]

    def dtype(self, op: Op) -> str:
        """How the weights of `op` are stored."""
        return op.dtype(self.scheme, self.names[id(op)], head=op is self.graph.logits)

    def value(self, op: Op) -> int:
        """The index of what `op` gives."""
        return self._value_of[id(op)]

    def add(self, op: Op) -> None:
        """Append an operator; those it reads are there."""
        name, inputs, output = self.names[id(op)], [self.value(x) for x in op.inputs()], len(self.model.values)
        body = op.lower(self, name)
        rows = fb.Rows.Tokens if op.per_token else fb.Rows.Sequences
        self.model.values.append(made(fb.ValueT, name=name, rows=rows, width=op.width))
        self._value_of[id(op)] = output
        number = getattr(fb.OpBody, type(op).__name__)
        self.model.ops.append(made(fb.OpT, name=name, bodyType=number, body=body, inputs=inputs, output=output))


def _too_large(what: str, where: str) -> CompileError:
    return CompileError("C123", f"the model is too large: {what}", where, "use a smaller student")


def _check_limits(graph: Graph) -> None:
    ops = graph.ordered()
    if not _TOKENS[0] <= graph.max_tokens <= _TOKENS[1]:
        raise CompileError(
            "C124", f"the model takes texts of {graph.max_tokens:,} tokens", ops[-1].name,
            f"a file takes {_TOKENS[0]} to {_TOKENS[1]:,} tokens: export with another length, or give max_tokens",
        )  # fmt: skip
    if len(ops) > _MOST_OPS:
        raise _too_large(f"{len(ops):,} operators, a file holds {_MOST_OPS:,}", ops[-1].name)
    widest = max(ops, key=lambda op: op.width)
    if widest.width > _WIDEST:
        raise _too_large(f"{widest.width:,} columns, a file holds {_WIDEST:,}", widest.name)


def facts_of(graph: Graph, scheme: Scheme) -> list[OpFacts]:
    """What the core would say of the ops of this graph's file, without making it."""
    names, found = operator_names(graph), []
    for op in graph.ordered():
        head, name = op is graph.logits, names[id(op)]
        dtype = op.dtype(scheme, name, head=head)
        parameters = sum(value.size for value in vars(op).values() if isinstance(value, np.ndarray))
        base = OpFacts(name, type(op).__name__, op.per_token, op.width, dtype=dtype, head=head, parameters=parameters)
        found.append(op.facts(base))
    return found


def lower(graph: Graph, scheme: Scheme, card: Card, tokenizer: Tables | None = None) -> PackedModel:
    """The packed model.

    Raises:
        CompileError: the scheme names a layer that is not there; a dot product too long for int32; more
            or wider operators than a file holds; a limit of tokens that no file has.
    """
    _check_limits(graph)
    work = Lowering(graph, scheme)
    unknown = sorted(set(scheme.layers) - set(work.names.values()))
    if unknown:
        raise CompileError(
            "C027", f"the scheme names a layer that this model lacks ({len(unknown)} in all)", unknown[0],
            "measure the layers of this model: potstill sensitivity",
        )  # fmt: skip
    for op in graph.ordered():
        work.add(op)
    if tokenizer is not None:
        work.model.tokenizer = tokenizer.lower(work)
    _describe(work, card)
    return PackedModel(work.model, work.sections)


def _describe(work: Lowering, card: Card) -> None:
    """Card, input and heads."""
    graph, model = work.graph, work.model
    provenance = [made(fb.KeyValueT, key=key, value=value) for key, value in card.provenance.items()]
    facts = {key: getattr(card, key) for key in ("name", "task", "scheme", "producer", "license")}
    model.card = made(fb.CardT, **facts, provenance=provenance)
    model.inputType = fb.Input.TokenIds
    model.input = made(fb.TokenIdsT, maxTokens=card.max_tokens, forbiddenIds=list(card.forbidden_ids) or None)
    ends = {"logits": graph.logits, "embedding": graph.embedding}
    values = {output: work.value(op) for output, op in ends.items() if op is not None}
    for head in card.heads:
        table = head.kind.title().replace("-", "")  # MultiLabel of multi-label
        body = made(getattr(fb, f"{table}T"), **_fields(head))
        fields = {"labels": list(head.labels) or None, "temperature": head.temperature, "threshold": head.threshold}
        value, number = values[head.output], getattr(fb.HeadBody, table)
        model.heads.append(made(fb.HeadT, name=head.kind, value=value, bodyType=number, body=body, **fields))


def _fields(head: Head) -> dict[str, int]:
    """What the table of its kind has."""
    if head.units:
        return {"units": words(fb.Units)[head.units]}
    return {"kind": words(fb.ScoreKind)[head.activation]} if head.activation else {}
