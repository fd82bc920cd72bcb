"""Read a `.still` file back into a packed model, for inspection and tests. The runtime has its own reader (C++).

Checked here: the three checksums, sizes and bounds, so that what is shown is what was written. The full list of
semantic checks is the core's.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from potstill.errors import FormatError
from potstill.still import writer
from potstill.still.packed import DTYPES, Metadata, PackedModel, PackedOp, PackedTensor, PackedValue, WordPieceFields

_DTYPES = {code: name for name, code in writer.DTYPE_CODES.items()}
_LAYOUTS = {code: name for name, code in writer.LAYOUT_CODES.items()}
_ROWS = {code: name for name, code in writer.ROWS_CODES.items()}
_KINDS = {code: name for name, code in writer.BODY_CODES.items()}
_SCORES = {code: name for name, code in writer.SCORE_CODES.items()}
_FIELDS: dict[str, tuple[str, ...]] = {
    "Embedding": ("word_t", "word_scale_t", "position_t", "type_t"),
    "LayerNorm": ("gamma_t", "beta_t", "eps"),
    "Linear": ("weight_t", "scale_t", "colsum_t", "bias_t", "activation", "input_quant"),
    "Attention": ("heads",),
    "Pool": ("kind",),
    "Normalize": ("eps",),
}
_WORDS: dict[str, dict[int, str]] = {
    "activation": {code: name for name, code in writer.ACTIVATION_CODES.items()},
    "input_quant": {code: name for name, code in writer.INPUT_QUANT_CODES.items()},
    "kind": {code: name for name, code in writer.POOL_CODES.items()},
}


def read_still(path: Path) -> PackedModel:
    """The packed model in `path`; weights are read-only views of the file's bytes.

    Raises:
        FormatError: it is not a `.still` file, of a newer version, cut short or longer than it says, or a checksum is
            wrong, or a tensor lies outside of the file.
    """
    data = path.read_bytes()
    where = str(path)
    if len(data) < writer.ALIGNMENT or data[:8] != writer.MAGIC:
        raise FormatError("F003", "this is not a .still file", where, "give the file that potstill compile wrote")
    _, version, _, header_size, file_size, header_hash, _, _, own_hash = writer.PREAMBLE.unpack(data[:64])
    if writer.xxh64(data[:56]) != own_hash:
        raise _damaged("F005", "preamble", where)
    if version > writer.VERSION:
        raise FormatError("F004", f"file version {version} is newer than this potstill", where, "upgrade potstill")
    header_end = writer.ALIGNMENT + writer.padded(header_size)
    if file_size != len(data) or header_end > len(data):
        raise FormatError("F007", f"the file has {len(data)} bytes, {file_size} expected", where, "copy the file again")
    if writer.xxh64(data[writer.ALIGNMENT : header_end]) != header_hash:
        raise _damaged("F009", "header", where)
    return _model(data, data[writer.ALIGNMENT : writer.ALIGNMENT + header_size], where)


def _damaged(code: str, part: str, where: str) -> FormatError:
    return FormatError(code, f"the checksum of the {part} is wrong", where, "the file is damaged: copy it again")


def _text(value: bytes | None) -> str:
    return "" if value is None else value.decode("utf-8")


def _model(data: bytes, header: bytes, where: str) -> PackedModel:
    fb = writer.schema()
    root = fb.Model.GetRootAs(bytearray(header), 0)
    tensors = tuple(_tensor(data, root.Tensors(i), where) for i in range(root.TensorsLength()))
    values = tuple(
        PackedValue(_text(v.Name()), _ROWS[v.Rows()], v.Width())
        for v in (root.Values(i) for i in range(root.ValuesLength()))
    )
    ops = tuple(_op(fb, root.Ops(i)) for i in range(root.OpsLength()))
    meta = root.Metadata()
    pairs = (meta.Provenance(i) for i in range(meta.ProvenanceLength()))
    metadata = Metadata(
        name=_text(meta.Name()),
        task=_text(meta.Task()),
        scheme=_text(meta.Scheme()),
        labels=tuple(_text(meta.Labels(i)) for i in range(meta.LabelsLength())),
        max_tokens=meta.MaxTokens(),
        producer=_text(meta.Producer()),
        license=_text(meta.License()),
        provenance={_text(pair.Key()): _text(pair.Value()) for pair in pairs},
        multi_label=meta.MultiLabel(),
        score=_SCORES[meta.Score()],
        forbidden_ids=tuple(meta.ForbiddenIds(i) for i in range(meta.ForbiddenIdsLength())),
    )
    return PackedModel(
        metadata, tensors, values, ops, root.EmbeddingValue(), root.LogitsValue(), _tokenizer(root.Tokenizer())
    )  # fmt: skip


def _tensor(data: bytes, entry: Any, where: str) -> PackedTensor:
    name, size, offset = _text(entry.Name()), entry.Size(), entry.Offset()
    end = offset + writer.padded(size)
    if end > len(data) or offset % writer.ALIGNMENT:
        raise FormatError("F019", f"the tensor {name!r} lies outside of the file", where, "copy the file again")
    if writer.xxh64(data[offset:end]) != entry.Xxh64():
        raise _damaged("F020", f"tensor {name!r}", where)
    shape = tuple(entry.Shape(i) for i in range(entry.ShapeLength()))
    dtype = _DTYPES[entry.Dtype()]
    flat = np.frombuffer(data, DTYPES[dtype], size // DTYPES[dtype].itemsize, offset)
    layout = _LAYOUTS[entry.Layout()]
    if flat.size * (2 if dtype == "i4" else 1) < math.prod(shape):
        raise FormatError("F017", f"the tensor {name!r} is smaller than its shape", where, "copy the file again")
    return PackedTensor(name, dtype, layout, shape, flat)


def _op(fb: Any, entry: Any) -> PackedOp:
    kind = _KINDS[entry.BodyType()]
    table = getattr(fb, kind)()
    body = entry.Body()
    table.Init(body.Bytes, body.Pos)
    tensors, settings = {}, {}
    for key in _FIELDS[kind]:
        value = getattr(table, "".join(part.capitalize() for part in key.split("_")))()
        if key.endswith("_t"):
            if value >= 0:
                tensors[key] = value
        else:
            settings[key] = _WORDS[key][value] if key in _WORDS else value
    inputs = tuple(entry.Inputs(i) for i in range(entry.InputsLength()))
    return PackedOp(_text(entry.Name()), kind, inputs, entry.Output(), tensors, settings)


def _tokenizer(table: Any) -> WordPieceFields | None:
    if table is None:
        return None
    return WordPieceFields(
        {"blob_t": table.BlobT(), "offsets_t": table.OffsetsT(), "slots_t": table.SlotsT()},
        bool(table.Lowercase()), bool(table.StripAccents()), bool(table.CleanText()),
        bool(table.HandleChineseChars()), table.UnkId(), table.ClsId(), table.SepId(), table.PadId(),
        _text(table.ContinuingPrefix()), table.MaxCharsPerWord(),
        tuple(table.AddedIds(i) for i in range(table.AddedIdsLength())),
    )  # fmt: skip
