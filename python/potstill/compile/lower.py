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
from potstill.still.packed import DTYPES, Metadata, PackedModel, byte_view
from potstill.still.schema import fb, made, words
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
        self.model = made(fb.ModelT, tensors=[], values=[], ops=[], heads=[])
        self.sections: list[Array] = []
        self.value_of: dict[int, int] = {}
        self.names: dict[int, str] = {}
        self.stored: dict[tuple[Any, ...], int] = {}
        self.norm_behind: dict[int, LayerNorm] = {}
        self.rounded: dict[bytes, tuple[Array, Array]] = {}

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
        if key not in self.stored:
            self.stored[key] = len(self.sections)
            self.sections.append(data)
            numbers = {"dtype": words(fb.DType)[dtype], "layout": words(fb.Layout)[layout]}
            self.model.tensors.append(made(fb.TensorT, name=name, shape=[int(n) for n in shape], **numbers))
        return self.stored[key]

    def _int4(self, weight: Array, importance: Array | None) -> tuple[Array, Array]:
        """Rounded once for each weight, whatever the importance of the later uses: shared weights stay shared."""
        digest = hashlib.blake2b(byte_view(np.ascontiguousarray(weight)), digest_size=16).digest()
        if digest not in self.rounded:
            self.rounded[digest] = quantize_rows_int4(weight, importance)
        return self.rounded[digest]

    def add(self, op: Op) -> None:
        name = self.names[id(op)]
        match op:
            case Embedding():
                body = self._embedding(op, name)
            case LayerNorm():
                gamma, beta = self.tensor(f"{name}.gamma", "f32", op.gamma), self.tensor(f"{name}.beta", "f32", op.beta)
                body = made(fb.LayerNormT, gammaT=gamma, betaT=beta, eps=float(np.float32(op.eps)))
            case Linear():
                body = self._linear(op, name)
            case Attention():
                body = made(fb.AttentionT, heads=op.heads)
            case Pool():
                body = made(fb.PoolT, kind=words(fb.PoolKind)[op.kind])
            case Normalize():
                body = made(fb.NormalizeT, eps=float(np.float32(op.eps)))
            case _:
                raise AssertionError(type(op))
        inputs, output = [self.value_of[id(x)] for x in op.inputs()], len(self.model.values)
        rows = fb.Rows.Tokens if op.per_token else fb.Rows.Sequences
        self.model.values.append(made(fb.ValueT, name=name, rows=rows, width=op.width))
        self.value_of[id(op)] = output
        number = getattr(fb.OpBody, type(op).__name__)
        self.model.ops.append(made(fb.OpT, name=name, bodyType=number, body=body, inputs=inputs, output=output))

    def _embedding(self, op: Embedding, name: str) -> Any:
        body = fb.EmbeddingT()
        if self.scheme.embedding == "f32":
            body.wordT = self.tensor(f"{name}.word", "f32", op.word)
        else:
            int4 = self.scheme.embedding == "i4"
            importance = embedding_importance(self.norm_behind.get(id(op)))
            q, scale = self._int4(op.word, importance) if int4 else quantize_rows(op.word, self.scheme.clip)
            layout = "row_major_i4" if int4 else "row_major"
            body.wordT = self.tensor(f"{name}.word", self.scheme.embedding, q, layout)
            body.wordScaleT = self.tensor(f"{name}.word_scale", "f32", scale)
        body.positionT = self.tensor(f"{name}.position", "f32", op.position)
        if op.types is not None:
            body.typeT = self.tensor(f"{name}.type", "f32", op.types)
        return body

    def _linear(self, op: Linear, name: str) -> Any:
        # Heads stay f32 in every scheme, those on tokens too.
        dtype = self.scheme.linear_dtype(name) if op.per_token and op is not self.head else "f32"
        body = fb.LinearT()
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
            body.weightT = self.tensor(f"{name}.weight", dtype, q, "pack_i4n4k32" if int4 else "pack_i8n4k16")
            body.scaleT = self.column_vector(f"{name}.scale", "f32", scale)
            body.colsumT = self.column_vector(f"{name}.colsum", "i32", colsum)
        else:
            body.weightT = self.tensor(f"{name}.weight", "f32", op.weight, "pack_f32n8")
        if op.bias is not None:
            body.biasT = self.column_vector(f"{name}.bias", "f32", op.bias)
        body.activation = words(fb.Activation)[self.scheme.activation(op.activation, dtype=dtype)]
        body.inputQuant = words(fb.InputQuant)[self.scheme.input_quant(producer_activation(op), dtype=dtype)]
        return body


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
    if tokenizer is not None:
        work.model.tokenizer = _tokenizer(work, tokenizer)
    _describe(work, graph, metadata)
    return PackedModel(work.model, work.sections)


def _describe(work: _Lowering, graph: Graph, metadata: Metadata) -> None:
    """Card, input and heads."""
    provenance = [made(fb.KeyValueT, key=key, value=value) for key, value in metadata.provenance.items()]
    work.model.card = made(
        fb.CardT, name=metadata.name, task=metadata.task, scheme=metadata.scheme, producer=metadata.producer,
        license=metadata.license, provenance=provenance,
    )  # fmt: skip
    work.model.inputType = fb.Input.TokenIds
    forbidden = list(metadata.forbidden_ids) or None
    work.model.input = made(fb.TokenIdsT, maxTokens=metadata.max_tokens, forbiddenIds=forbidden)
    heads, threshold = work.model.heads, 0.0
    if graph.logits is not None:
        if metadata.score:
            name, body = "score", made(fb.ScoreT, kind=words(fb.ScoreKind)[metadata.score])
        elif metadata.multi_label:
            name, body, threshold = "labels", fb.MultiLabelT(), 0.5
        elif graph.logits.per_token:
            name, body = "tags", fb.TagsT()
        else:
            name, body = "classes", fb.ClassesT()
        heads.append(_head(work, name, graph.logits, body, labels=list(metadata.labels), threshold=threshold))
    if graph.embedding is not None:
        heads.append(_head(work, "vector", graph.embedding, fb.VectorT()))


def _head(work: _Lowering, name: str, op: Op, body: Any, **fields: Any) -> Any:
    kind = getattr(fb.HeadBody, type(body).__name__[:-1])
    return made(fb.HeadT, name=name, value=work.value_of[id(op)], bodyType=kind, body=body, **fields)


def _tokenizer(work: _Lowering, tables: Any) -> Any:
    """BERT's steps around WordPiece; `tables` are `potstill.compile.tokenizer.WordPieceTables`."""
    text = work.tensor("tokenizer.text", "u8", np.frombuffer(tables.blob, np.uint8))
    offsets = work.tensor("tokenizer.offsets", "i32", np.asarray(tables.offsets, np.int32))
    slots = work.tensor("tokenizer.slots", "i32", np.asarray(tables.slots, np.int32))
    normalizer = made(
        fb.BertNormalizerT, lowercase=tables.lowercase, stripAccents=tables.strip_accents,
        cleanText=tables.clean_text, handleChineseChars=tables.handle_chinese_chars,
    )  # fmt: skip
    model = made(
        fb.WordPieceT, unkId=tables.unk_id, continuingPrefix=tables.continuing_prefix,
        maxCharsPerWord=tables.max_chars_per_word,
    )  # fmt: skip
    first, second = (fb.Part.First, 0), (fb.Part.Second, 1)
    return made(
        fb.TokenizerT,
        vocabulary=made(fb.VocabularyT, textT=text, offsetsT=offsets, slotsT=slots),
        added=[made(fb.AddedTokenT, id=number) for number in tables.added_ids],
        normalizers=[made(fb.NormalizerT, bodyType=fb.NormalizerBody.BertNormalizer, body=normalizer)],
        preTokenizers=[
            made(fb.PreTokenizerT, bodyType=fb.PreTokenizerBody.BertPreTokenizer, body=fb.BertPreTokenizerT())
        ],
        modelType=fb.TokenizerModel.WordPiece,
        model=model,
        single=_template(tables, first),
        pair=None if tables.pairs_problem is not None else _template(tables, first, second),
        padId=tables.pad_id,
    )


def _template(tables: Any, *texts: tuple[int, int]) -> list[Any]:
    """[CLS] first [SEP], then second [SEP]: parts with their token types."""
    parts = [made(fb.TemplatePartT, part=fb.Part.Id, id=tables.cls_id)]
    for part, token_type in texts:
        parts.append(made(fb.TemplatePartT, part=part, type=token_type))
        parts.append(made(fb.TemplatePartT, part=fb.Part.Id, id=tables.sep_id, type=token_type))
    return parts
