"""The fused graph and a scheme make a packed model: every weight in its stored type and layout."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potstill.compile.ir import Attention, Embedding, Graph, LayerNorm, Linear, Normalize, Op, Pool, operator_names
from potstill.errors import CompileError
from potstill.still import pack
from potstill.still.int4 import quantize_rows_int4
from potstill.still.packed import (
    DTYPES,
    Metadata,
    PackedModel,
    PackedOp,
    PackedTensor,
    PackedValue,
    WordPieceFields,
    byte_view,
)
from potstill.still.schemes import Scheme, quantize_rows

Array = NDArray[Any]

# Beyond this an int32 sum of int8 products could overflow: 128 * 127 * K < 2^31.
_LONGEST_DOT = (2**31 - 1) // (128 * 127)

# What a file holds at most, as the core checks it when it loads one (cpp/src/format/reader.h).
_MOST_OPS, _WIDEST, _LONGEST_ROW = 2048, 131_072, 32_768
_TOKENS = (3, 8192)


class _Lowering:
    def __init__(self, scheme: Scheme, head: Op | None) -> None:
        self.scheme = scheme
        self.head = head
        self.tensors: list[PackedTensor] = []
        self.values: list[PackedValue] = []
        self.ops: list[PackedOp] = []
        self.value_of: dict[int, int] = {}
        self.names: dict[int, str] = {}
        self.stored: dict[tuple[Any, ...], int] = {}
        self.norm_behind: dict[int, LayerNorm] = {}
        self.rounded: dict[bytes, tuple[Array, Array]] = {}

    def tensor(self, name: str, dtype: str, value: Array, layout: str = "row_major") -> int:
        shape = tuple(int(n) for n in value.shape)
        data = np.ascontiguousarray(value, DTYPES[dtype])
        if layout == "f32_n8":
            data = pack.pack_f32_n8(data)
        elif layout == "i8_n4k16":
            data = pack.pack_i8_n4k16(data)
        elif layout == "i4_n4k32":
            data = pack.pack_i4_n4k32(value)
        elif layout == "i4_rows":
            data = pack.pack_i4_rows(value)
        return self._store(PackedTensor(name, dtype, layout, shape, data))

    def column_vector(self, name: str, dtype: str, value: Array) -> int:
        """Per-column vectors of a linear layer are stored padded to 16 entries."""
        data = pack.pad_vector(np.ascontiguousarray(value, DTYPES[dtype]))
        return self._store(PackedTensor(name, dtype, "row_major", value.shape, data))

    def _store(self, tensor: PackedTensor) -> int:
        """Equal tensors are stored once: layers that share weights (ALBERT) share their section."""
        digest = hashlib.blake2b(byte_view(tensor.data), digest_size=16).digest()
        key = (tensor.dtype, tensor.layout, tensor.shape, digest)
        if key not in self.stored:
            self.stored[key] = len(self.tensors)
            self.tensors.append(tensor)
        return self.stored[key]

    def _int4(self, weight: Array, importance: Array | None) -> tuple[Array, Array]:
        """Rounded once for each weight, whatever the importance of the later uses: shared weights stay shared."""
        digest = hashlib.blake2b(byte_view(np.ascontiguousarray(weight)), digest_size=16).digest()
        if digest not in self.rounded:
            self.rounded[digest] = quantize_rows_int4(weight, importance)
        return self.rounded[digest]

    def add(self, op: Op) -> None:
        name = self.names[id(op)]
        tensors: dict[str, int] = {}
        settings: dict[str, Any] = {}
        match op:
            case Embedding():
                tensors = self._embedding(op, name)
            case LayerNorm():
                tensors = {
                    "gamma_t": self.tensor(f"{name}.gamma", "f32", op.gamma),
                    "beta_t": self.tensor(f"{name}.beta", "f32", op.beta),
                }
                settings = {"eps": float(np.float32(op.eps))}
            case Linear():
                tensors, settings = self._linear(op, name)
            case Attention():
                settings = {"heads": op.heads}
            case Pool():
                settings = {"kind": op.kind}
            case Normalize():
                settings = {"eps": float(np.float32(op.eps))}
            case _:
                raise AssertionError(type(op))
        inputs = tuple(self.value_of[id(x)] for x in op.inputs())
        self.values.append(PackedValue(name, "tokens" if op.per_token else "sequences", op.width))
        output = len(self.values) - 1
        self.value_of[id(op)] = output
        self.ops.append(PackedOp(name, type(op).__name__, inputs, output, tensors, settings))

    def _embedding(self, op: Embedding, name: str) -> dict[str, int]:
        if self.scheme.embedding == "f32":
            tensors = {"word_t": self.tensor(f"{name}.word", "f32", op.word)}
        else:
            int4 = self.scheme.embedding == "i4"
            importance = embedding_importance(self.norm_behind.get(id(op)))
            q, scale = self._int4(op.word, importance) if int4 else quantize_rows(op.word, self.scheme.clip)
            tensors = {
                "word_t": self.tensor(f"{name}.word", self.scheme.embedding, q, "i4_rows" if int4 else "row_major"),
                "word_scale_t": self.tensor(f"{name}.word_scale", "f32", scale),
            }
        tensors["position_t"] = self.tensor(f"{name}.position", "f32", op.position)
        if op.types is not None:
            tensors["type_t"] = self.tensor(f"{name}.type", "f32", op.types)
        return tensors

    def _linear(self, op: Linear, name: str) -> tuple[dict[str, int], dict[str, Any]]:
        # Heads stay f32 in every scheme, those on tokens too.
        dtype = self.scheme.linear_dtype(name) if op.per_token and op is not self.head else "f32"
        if dtype != "f32":
            if op.weight.shape[1] > _LONGEST_DOT:
                raise CompileError(
                    "C040", f"a linear layer with {op.weight.shape[1]} inputs overflows int32 sums", name,
                    "compile with --scheme fp32",
                )  # fmt: skip
            int4 = dtype == "i4"
            if int4:
                q, scale = self._int4(op.weight, input_importance(op.x))
            else:
                q, scale = quantize_rows(op.weight, self.scheme.clip)
            colsum = q.astype(np.int32).sum(axis=1, dtype=np.int32)
            tensors = {
                "weight_t": self.tensor(f"{name}.weight", dtype, q, "i4_n4k32" if int4 else "i8_n4k16"),
                "scale_t": self.column_vector(f"{name}.scale", "f32", scale),
                "colsum_t": self.column_vector(f"{name}.colsum", "i32", colsum),
            }
        else:
            tensors = {"weight_t": self.tensor(f"{name}.weight", "f32", op.weight, "f32_n8")}
        if op.bias is not None:
            tensors["bias_t"] = self.column_vector(f"{name}.bias", "f32", op.bias)
        settings = {
            "activation": self.scheme.activation(op.activation, dtype=dtype),
            "input_quant": self.scheme.input_quant(producer_activation(op), dtype=dtype),
        }
        return tensors, settings


def producer_activation(op: Linear) -> str:
    """The activation that made the rows which enter `op`."""
    return op.x.activation if isinstance(op.x, Linear) and op.x.residual is None else "none"


def embedding_importance(norm: LayerNorm | None) -> Array | None:
    """[width]: what counts of the error of each column before this layer norm. None: not known."""
    return None if norm is None else np.asarray(norm.gamma.astype(np.float64) ** 2)


def input_importance(x: Op) -> Array | None:
    """[width] of a layer norm's rows, near enough: they are normalised before gamma and beta. None: not known."""
    if not isinstance(x, LayerNorm):
        return None
    return np.asarray(x.gamma.astype(np.float64) ** 2 + x.beta.astype(np.float64) ** 2)


def _check_limits(graph: Graph) -> None:
    ops = graph.ordered()
    widest = max(ops, key=lambda op: op.width)
    longest = max((op for op in ops if isinstance(op, Linear)), key=lambda op: op.weight.shape[1], default=None)
    problems = [
        (len(ops) > _MOST_OPS, f"{len(ops):,} operators, a file holds {_MOST_OPS:,}", ops[-1].name),
        (widest.width > _WIDEST, f"{widest.width:,} columns, a file holds {_WIDEST:,}", widest.name),
    ]
    if longest is not None:
        inputs = longest.weight.shape[1]
        problems.append(
            (inputs > _LONGEST_ROW, f"{inputs:,} inputs of a layer, a file holds {_LONGEST_ROW:,}", longest.name)
        )
    if not _TOKENS[0] <= graph.max_tokens <= _TOKENS[1]:
        raise CompileError(
            "C124", f"the model takes texts of {graph.max_tokens:,} tokens", ops[-1].name,
            f"a file is for a limit of {_TOKENS[0]} to {_TOKENS[1]:,}: export with another length, or give max_tokens",
        )  # fmt: skip
    for found, what, where in problems:
        if found:
            raise CompileError("C123", f"the model is too large: {what}", where, "use a smaller student")


def lower(graph: Graph, scheme: Scheme, metadata: Metadata, tokenizer: Any | None = None) -> PackedModel:
    """The packed model.

    Args:
        tokenizer: `potstill.compile.tokenizers.Tables` or None.

    Raises:
        CompileError: the scheme names a layer that is not there; a dot product too long for int32; more
            or wider operators than a file holds; a limit of tokens that no file has.
    """
    _check_limits(graph)
    work = _Lowering(scheme, graph.logits)
    work.names = operator_names(graph)
    unknown = sorted(set(scheme.layers) - set(work.names.values()))
    if unknown:
        raise CompileError(
            "C027", f"the scheme names a layer that this model lacks ({len(unknown)} in all)", unknown[0],
            "measure the layers of this very model: potstill sensitivity",
        )  # fmt: skip
    work.norm_behind = {id(op.x): op for op in graph.ordered() if isinstance(op, LayerNorm)}
    for op in graph.ordered():
        work.add(op)
    fields = None
    if tokenizer is not None:
        tensors = {
            "blob_t": work.tensor("tokenizer.blob", "u8", np.frombuffer(tokenizer.blob, np.uint8)),
            "offsets_t": work.tensor("tokenizer.offsets", "i32", np.asarray(tokenizer.offsets, np.int32)),
            "slots_t": work.tensor("tokenizer.slots", "i32", np.asarray(tokenizer.slots, np.int32)),
        }
        fields = WordPieceFields(
            tensors, tokenizer.lowercase, tokenizer.strip_accents, tokenizer.clean_text,
            tokenizer.handle_chinese_chars, tokenizer.unk_id, tokenizer.cls_id, tokenizer.sep_id, tokenizer.pad_id,
            tokenizer.continuing_prefix, tokenizer.max_chars_per_word, tuple(tokenizer.added_ids),
        )  # fmt: skip

    def value(op: Op | None) -> int:
        return -1 if op is None else work.value_of[id(op)]

    return PackedModel(
        metadata, tuple(work.tensors), tuple(work.values), tuple(work.ops), value(graph.embedding),
        value(graph.logits), fields,
    )  # fmt: skip
