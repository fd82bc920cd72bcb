"""Store a packed model as a `.still` file (cpp/src/format/README.md). The same model gives the same bytes."""

from __future__ import annotations

import importlib
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potstill.errors import missing_package
from potstill.still.packed import PackedModel, PackedOp, PackedTensor, byte_view

Array = NDArray[Any]

MAGIC = b"\x89STILL\r\n"
VERSION = 1
ALIGNMENT = 64
PREAMBLE = struct.Struct("<8sIIQQQQQQ")  # magic, version, flags, header, file, header hash, reserved x2, own hash

DTYPE_CODES = {"f32": 0, "i8": 1, "i4": 2, "i32": 3, "u8": 4}
LAYOUT_CODES = {"row_major": 0, "f32_n8": 1, "i8_n4k16": 2, "i4_n4k32": 3, "i4_rows": 4}
ROWS_CODES = {"tokens": 0, "sequences": 1}
ACTIVATION_CODES = {"none": 0, "gelu": 1, "gelu_poly": 2, "relu": 3, "tanh": 4, "gelu_tanh": 5}
INPUT_QUANT_CODES = {"none": 0, "symmetric": 1, "asymmetric": 2}
SCORE_CODES = {"": 0, "raw": 1, "sigmoid": 2}
POOL_CODES = {"mean": 0, "cls": 1}
BODY_CODES = {"Embedding": 1, "LayerNorm": 2, "Linear": 3, "Attention": 4, "Pool": 5, "Normalize": 6}

# Settings in which the value is a word: their codes.
_CODED = {"activation": ACTIVATION_CODES, "input_quant": INPUT_QUANT_CODES, "kind": POOL_CODES}


def padded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def xxh64(*parts: Array | bytes) -> int:
    """XXH64 with seed 0 of the parts, one after another."""
    try:
        import xxhash
    except ImportError as error:
        raise missing_package("xxhash", "build", "potstill compile") from error
    state = xxhash.xxh64(seed=0)
    for part in parts:
        state.update(part if isinstance(part, bytes) else byte_view(part))
    return int(state.intdigest())


def schema() -> Any:
    """The module that flatc makes of still.fbs when the project is built.

    Raises:
        SystemFailure: it was not generated.
    """
    try:
        return importlib.import_module("potstill.still._still_fb")
    except ModuleNotFoundError as error:
        raise missing_package("flatbuffers schema (potstill.still._still_fb)", "build", "potstill compile") from error


def write_still(model: PackedModel, out: Path, *, check: Callable[[Path], None] | None = None) -> int:
    """Write the file atomically; its size in bytes.

    Args:
        check: called with the complete file before it takes its final name; what it raises leaves no file behind.

    Raises:
        SystemFailure: disk full; not allowed to write; other; nothing is left under `out`.
    """
    from potstill.work.atomic import atomic_write

    with atomic_write(out) as temporary:
        with temporary.open("wb") as file:
            size = sum(file.write(part) for part in chunks(model))
        if check is not None:
            check(temporary)
    return size


def chunks(model: PackedModel) -> Iterator[bytes | memoryview]:
    """The file's bytes in order, without copying the weights."""
    hashes = [xxh64(t.data, bytes(padded(t.bytes) - t.bytes)) for t in model.tensors]
    sizes = [padded(t.bytes) for t in model.tensors]
    # Offsets are fixed-width fields, so a first build with stand-ins gives the size of the header.
    header = _header(model, [ALIGNMENT] * len(sizes), hashes)
    start = ALIGNMENT + padded(len(header))
    offsets = [start + sum(sizes[:i]) for i in range(len(sizes))]
    header_size, header = len(header), _header(model, offsets, hashes)
    assert len(header) == header_size, "the header's size must not depend on the offsets"
    stored = header + bytes(padded(header_size) - header_size)
    yield _preamble(header_size, start + sum(sizes), xxh64(stored))
    yield stored
    for tensor in model.tensors:
        yield byte_view(tensor.data)
        yield bytes(padded(tensor.bytes) - tensor.bytes)


def _preamble(header_size: int, file_size: int, header_hash: int) -> bytes:
    head = PREAMBLE.pack(MAGIC, VERSION, 0, header_size, file_size, header_hash, 0, 0, 0)[:-8]
    return head + struct.pack("<Q", xxh64(head))


def _header(model: PackedModel, offsets: Sequence[int], hashes: Sequence[int]) -> bytes:
    try:
        import flatbuffers
    except ImportError as error:
        raise missing_package("flatbuffers", "build", "potstill compile") from error
    fb = schema()
    b = flatbuffers.Builder(1 << 16)
    tensors = _table_vector(b, [_tensor(b, fb, *item) for item in zip(model.tensors, offsets, hashes, strict=True)])
    values = []
    for value in model.values:
        name = b.CreateString(value.name)
        fb.ValueStart(b)
        fb.ValueAddName(b, name)
        fb.ValueAddRows(b, ROWS_CODES[value.rows])
        fb.ValueAddWidth(b, value.width)
        values.append(fb.ValueEnd(b))
    value_vector = _table_vector(b, values)
    ops = _table_vector(b, [_op(b, fb, op) for op in model.ops])
    tokenizer = _tokenizer(b, fb, model)
    metadata = _metadata(b, fb, model)
    fb.ModelStart(b)
    fb.ModelAddSchemaVersion(b, _schema_version(model))
    fb.ModelAddMetadata(b, metadata)
    fb.ModelAddTensors(b, tensors)
    fb.ModelAddValues(b, value_vector)
    fb.ModelAddOps(b, ops)
    fb.ModelAddEmbeddingValue(b, model.embedding_value)
    fb.ModelAddLogitsValue(b, model.logits_value)
    if tokenizer is not None:
        fb.ModelAddTokenizer(b, tokenizer)
    b.Finish(fb.ModelEnd(b), file_identifier=b"STIL")
    return bytes(b.Output())


def _schema_version(model: PackedModel) -> int:
    """The oldest readers that read the file rightly: those of version 1 know neither several labels nor token types,
    those of version 2 no logits of tokens, those of version 3 neither scores, forbidden ids nor normalised vectors.
    """
    if model.metadata.score or model.metadata.forbidden_ids or any(op.kind == "Normalize" for op in model.ops):
        return 4
    if model.logits_value >= 0 and model.values[model.logits_value].rows == "tokens":
        return 3
    return 2 if model.metadata.multi_label or any("type_t" in op.tensors for op in model.ops) else 1


def _table_vector(b: Any, offsets: list[int]) -> int:
    b.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return int(b.EndVector())


def _tensor(b: Any, fb: Any, tensor: PackedTensor, offset: int, digest: int) -> int:
    name = b.CreateString(tensor.name)
    shape = b.CreateNumpyVector(np.asarray(tensor.shape, np.uint32))
    fb.TensorStart(b)
    fb.TensorAddName(b, name)
    fb.TensorAddDtype(b, DTYPE_CODES[tensor.dtype])
    fb.TensorAddLayout(b, LAYOUT_CODES[tensor.layout])
    fb.TensorAddShape(b, shape)
    fb.TensorAddOffset(b, offset)
    fb.TensorAddSize(b, tensor.bytes)
    fb.TensorAddXxh64(b, digest)
    return int(fb.TensorEnd(b))


def _op(b: Any, fb: Any, op: PackedOp) -> int:
    name = b.CreateString(op.name)
    inputs = b.CreateNumpyVector(np.asarray(op.inputs, np.uint32))
    getattr(fb, f"{op.kind}Start")(b)
    for key, value in (*op.tensors.items(), *op.settings.items()):
        field = "".join(part.capitalize() for part in key.split("_"))
        coded = _CODED[key][value] if key in _CODED else value
        getattr(fb, f"{op.kind}Add{field}")(b, coded)
    body = getattr(fb, f"{op.kind}End")(b)
    fb.OpStart(b)
    fb.OpAddName(b, name)
    fb.OpAddBodyType(b, BODY_CODES[op.kind])
    fb.OpAddBody(b, body)
    fb.OpAddInputs(b, inputs)
    fb.OpAddOutput(b, op.output)
    return int(fb.OpEnd(b))


def _tokenizer(b: Any, fb: Any, model: PackedModel) -> int | None:
    table = model.tokenizer
    if table is None:
        return None
    prefix = b.CreateString(table.continuing_prefix)
    added = b.CreateNumpyVector(np.asarray(table.added_ids, np.uint32)) if table.added_ids else None
    fb.WordPieceStart(b)
    fb.WordPieceAddBlobT(b, table.tensors["blob_t"])
    fb.WordPieceAddOffsetsT(b, table.tensors["offsets_t"])
    fb.WordPieceAddSlotsT(b, table.tensors["slots_t"])
    fb.WordPieceAddLowercase(b, table.lowercase)
    fb.WordPieceAddStripAccents(b, table.strip_accents)
    fb.WordPieceAddCleanText(b, table.clean_text)
    fb.WordPieceAddHandleChineseChars(b, table.handle_chinese_chars)
    fb.WordPieceAddUnkId(b, table.unk_id)
    fb.WordPieceAddClsId(b, table.cls_id)
    fb.WordPieceAddSepId(b, table.sep_id)
    fb.WordPieceAddPadId(b, table.pad_id)
    fb.WordPieceAddContinuingPrefix(b, prefix)
    fb.WordPieceAddMaxCharsPerWord(b, table.max_chars_per_word)
    if added is not None:
        fb.WordPieceAddAddedIds(b, added)
    return int(fb.WordPieceEnd(b))


def _metadata(b: Any, fb: Any, model: PackedModel) -> int:
    meta = model.metadata
    texts = {key: b.CreateString(getattr(meta, key)) for key in ("name", "task", "scheme", "producer", "license")}
    labels = _table_vector(b, [b.CreateString(label) for label in meta.labels])
    pairs = []
    for key, value in sorted(meta.provenance.items()):  # FlatBuffers looks keys up by bisection
        k, v = b.CreateString(key), b.CreateString(value)
        fb.KeyValueStart(b)
        fb.KeyValueAddKey(b, k)
        fb.KeyValueAddValue(b, v)
        pairs.append(fb.KeyValueEnd(b))
    provenance = _table_vector(b, pairs)
    forbidden = b.CreateNumpyVector(np.asarray(meta.forbidden_ids, np.uint32)) if meta.forbidden_ids else None
    fb.MetadataStart(b)
    fb.MetadataAddName(b, texts["name"])
    fb.MetadataAddTask(b, texts["task"])
    fb.MetadataAddScheme(b, texts["scheme"])
    fb.MetadataAddLabels(b, labels)
    fb.MetadataAddMaxTokens(b, meta.max_tokens)
    fb.MetadataAddProducer(b, texts["producer"])
    fb.MetadataAddLicense(b, texts["license"])
    fb.MetadataAddProvenance(b, provenance)
    fb.MetadataAddMultiLabel(b, meta.multi_label)
    fb.MetadataAddScore(b, SCORE_CODES[meta.score])
    if forbidden is not None:
        fb.MetadataAddForbiddenIds(b, forbidden)
    return int(fb.MetadataEnd(b))
