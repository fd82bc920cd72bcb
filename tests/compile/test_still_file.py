"""What is in the file: layout on disk, round trip, labels, limits, provenance, report; and failures while writing."""

from __future__ import annotations

import errno
import json
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import xxhash

from onnx_graphs import CLASSES, INNER, POSITIONS, VOCABULARY, WIDTH, Compiled, encoder
from potstill.compile import compile_onnx
from potstill.errors import CompileError, FormatError, SystemFailure
from potstill.still import writer
from potstill.still.reader import read_still
from potstill.still.schema import fb, kind, word

LABELS = ("no", "yes", "maybe")


@pytest.mark.parametrize("scheme", ["fp32", "int8"])
def test_layout_on_disk(compiled: Compiled, scheme: str) -> None:
    data = getattr(compiled, scheme).read_bytes()
    magic, version, flags, header, size, header_hash, spare, spare2, own = struct.unpack("<8sIIQQQQQQ", data[:64])
    assert (magic, version, flags, spare, spare2) == (b"\x89STILL\r\n", 1, 0, 0, 0)
    assert size == len(data) == compiled.reports[scheme].bytes
    assert own == xxhash.xxh64(data[:56], seed=0).intdigest()
    start = 64 + -(-header // 64) * 64
    assert header_hash == xxhash.xxh64(data[64:start], seed=0).intdigest()
    assert data[68:72] == b"STIL"
    assert not any(data[64 + header : start])
    # Sections: in order, without gaps, to the end of the file.
    position = start
    for section in read_still(getattr(compiled, scheme)).sections:
        stored = data[position : position + section.nbytes]
        assert stored == section.tobytes()
        position += -(-section.nbytes // 64) * 64
    assert position == len(data)


def test_same_input_same_bytes(compiled: Compiled, tmp_path: Path) -> None:
    again = tmp_path / "again.still"
    compile_onnx(compiled.onnx, again, labels=LABELS, provenance={"recipe": "abc"})
    assert again.read_bytes() == compiled.int8.read_bytes()


def test_metadata(compiled: Compiled) -> None:
    header = read_still(compiled.int8).header
    card, (classes, vector) = header.card, header.heads
    assert header.schemaVersion == 1
    assert (card.name, card.task, card.scheme) == ("plain", "text-classification", "int8")
    assert (kind(classes), tuple(classes.labels), classes.temperature) == ("Classes", LABELS, 1.0)
    assert (kind(vector), vector.labels) == ("Vector", None)
    assert header.input.maxTokens == POSITIONS
    assert [entry.key for entry in card.provenance] == ["onnx_sha256", "recipe"]


def test_types_of_the_int8_scheme(compiled: Compiled) -> None:
    model = read_still(compiled.int8)
    settings = {}
    for op in model.header.ops:
        if kind(op) == "Linear":
            weight, body = op.body.weightT, op.body
            activation, quant = word(fb.Activation, body.activation), word(fb.InputQuant, body.inputQuant)
            settings[model.shape(weight)] = (model.dtype(weight), activation, quant)
            if model.dtype(weight) == "i8":
                values, colsum = model.values(weight), model.values(body.colsumT)
                np.testing.assert_array_equal(colsum, values.sum(axis=1, dtype=np.int32))
                assert values.min() >= -127
    assert settings == {
        (3 * WIDTH, WIDTH): ("i8", "none", "symmetric"),
        (WIDTH, WIDTH): ("i8", "none", "symmetric"),
        (INNER, WIDTH): ("i8", "gelu_poly", "symmetric"),
        (WIDTH, INNER): ("i8", "none", "asymmetric"),
        (CLASSES, WIDTH): ("f32", "none", "none"),
    }
    table = next(op for op in model.header.ops if kind(op) == "Embedding").body.wordT
    assert (model.dtype(table), model.shape(table)) == ("i8", (VOCABULARY, WIDTH))


def test_fp32_keeps_the_weights(compiled: Compiled) -> None:
    """Weights of the file are those of the ONNX, bit for bit; only q carries the folded scale."""
    model = read_still(compiled.fp32)
    stored = [model.values(i) for i in range(len(model.sections)) if model.layout(i) == "pack_f32n8"]
    raw = [onnx.numpy_helper.to_array(t) for t in onnx.load(str(compiled.onnx)).graph.initializer]
    for shape in ((INNER, WIDTH), (WIDTH, INNER)):
        ours = next(w for w in stored if w.shape == shape)
        assert any(w.shape == shape[::-1] and np.array_equal(w.T, ours) for w in raw)


def test_report(compiled: Compiled) -> None:
    report = compiled.reports["int8"]
    assert json.loads(report.to_json())["scheme"] == "int8"
    encoder_weights = 4 * (WIDTH * WIDTH + WIDTH) + WIDTH * INNER + INNER + INNER * WIDTH + WIDTH
    tables = (VOCABULARY + POSITIONS) * WIDTH
    assert report.parameters == tables + encoder_weights + 3 * 2 * WIDTH + CLASSES * WIDTH + CLASSES
    assert sum(math.ceil(t["bytes"] / 64) * 64 for t in report.tensors) < report.bytes


@pytest.mark.parametrize(
    ("labels", "what"), [(["a", "b"], "2 labels for 3 logits"), (["a", "b", "a"], "a label occurs twice")]
)
def test_wrong_labels(compiled: Compiled, tmp_path: Path, labels: list[str], what: str) -> None:
    with pytest.raises(CompileError, match=what) as caught:
        compile_onnx(compiled.onnx, tmp_path / "m.still", labels=labels)
    assert caught.value.code == "C020"
    assert list(tmp_path.iterdir()) == []


def test_labels_and_limit_noted_in_the_onnx(compiled: Compiled, tmp_path: Path) -> None:
    model = onnx.load(str(compiled.onnx))
    for key, value in (("labels", json.dumps(["x", "y", "z"])), ("max_tokens", "9")):
        model.metadata_props.add(key=key, value=value)
    onnx.save(model, str(tmp_path / "m.onnx"))
    report = compile_onnx(tmp_path / "m.onnx", tmp_path / "m.still")
    assert (report.labels, report.max_tokens) == (["x", "y", "z"], 9)
    assert compile_onnx(compiled.onnx, tmp_path / "n.still").labels == ["LABEL_0", "LABEL_1", "LABEL_2"]


@pytest.mark.parametrize(("asked", "given"), [(5, 5), (POSITIONS, POSITIONS), (999, POSITIONS), (None, POSITIONS)])
def test_max_tokens(compiled: Compiled, tmp_path: Path, asked: int | None, given: int) -> None:
    report = compile_onnx(compiled.onnx, tmp_path / "m.still", max_tokens=asked)
    assert report.max_tokens == given
    model = read_still(tmp_path / "m.still")
    assert model.shape(model.header.ops[0].body.positionT) == (given, WIDTH)


def test_bad_arguments(compiled: Compiled, tmp_path: Path) -> None:
    for options, code in (
        ({"scheme": "int3"}, "C022"), ({"max_tokens": 0}, "C021"), ({"pooling": "max"}, "C019"),
    ):  # fmt: skip
        with pytest.raises(CompileError) as caught:
            compile_onnx(compiled.onnx, tmp_path / "m.still", **options)
        assert caught.value.code == code


def test_half_precision_weights_are_widened_exactly(tmp_path: Path) -> None:
    """A float16 model, casts included, equals the float32 model of the same (rounded) weights."""
    model = onnx.load(str(encoder(tmp_path / "full.onnx")))
    half = onnx.ModelProto()
    half.CopyFrom(model)
    for wide, narrow in zip(model.graph.initializer, half.graph.initializer, strict=True):
        value = onnx.numpy_helper.to_array(wide)
        # Masking bias and eps are beyond float16's range; exporters keep them representable.
        if value.dtype == np.float32 and value.size > 1:
            rounded = value.astype(np.float16)
            narrow.CopyFrom(onnx.numpy_helper.from_array(rounded, wide.name))
            wide.CopyFrom(onnx.numpy_helper.from_array(rounded.astype(np.float32), wide.name))
    kinds = {t.name: t.data_type for t in half.graph.initializer}
    assert onnx.TensorProto.FLOAT16 in kinds.values()
    onnx.save(model, str(tmp_path / "full.onnx"))
    onnx.save(half, str(tmp_path / "half.onnx"))
    for name in ("full", "half"):
        compile_onnx(tmp_path / f"{name}.onnx", tmp_path / f"{name}.still", scheme="fp32", name="m")
    full, narrow_file = (read_still(tmp_path / f"{name}.still") for name in ("full", "half"))
    assert [data.tobytes() for data in full.sections] == [data.tobytes() for data in narrow_file.sections]


def test_weights_beside_the_file(compiled: Compiled, tmp_path: Path) -> None:
    model = onnx.load(str(compiled.onnx))
    onnx.save(model, str(tmp_path / "m.onnx"), save_as_external_data=True, location="m.data", size_threshold=0)
    compile_onnx(tmp_path / "m.onnx", tmp_path / "m.still", name="plain", labels=LABELS)
    ours, inside = read_still(tmp_path / "m.still"), read_still(compiled.int8)
    assert [data.tobytes() for data in ours.sections] == [data.tobytes() for data in inside.sections]


class FullDisk:
    """A file on a disk that fills up after `room` bytes."""

    def __init__(self, file: Any, room: int) -> None:
        self.file, self.room = file, room

    def __enter__(self) -> FullDisk:
        return self

    def __exit__(self, *details: object) -> None:
        self.file.close()

    def write(self, data: Any) -> int:
        self.room -= len(data)
        if self.room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return int(self.file.write(data))


@pytest.mark.parametrize("room", [0, 100, 20_000])
def test_full_disk(compiled: Compiled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    (tmp_path / "old.still").write_bytes(b"old")
    original = Path.open

    def opened(path: Path, mode: str = "r", **options: Any) -> Any:
        file = original(path, mode, **options)
        return FullDisk(file, room) if mode == "wb" else file

    monkeypatch.setattr(Path, "open", opened)
    for name in ("new.still", "old.still"):
        with pytest.raises(SystemFailure) as caught:
            compile_onnx(compiled.onnx, tmp_path / name)
        assert caught.value.code == "S001"
    # The old file is as it was, no half-written one is left under any name.
    assert [p.name for p in tmp_path.iterdir()] == ["old.still"]
    assert (tmp_path / "old.still").read_bytes() == b"old"


def test_a_real_device_that_is_full(compiled: Compiled, tmp_path: Path) -> None:
    """/dev/full refuses every write; the writer's error path sees a true ENOSPC."""
    model = read_still(compiled.int8)
    with pytest.raises(OSError) as caught, Path("/dev/full").open("wb", buffering=0) as full:
        for part in writer.chunks(model):
            full.write(part)
    assert caught.value.errno == errno.ENOSPC


def test_file_that_the_core_refuses_is_not_published(
    compiled: Compiled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from potstill.compile.verify import core_available

    if not core_available():
        pytest.skip("the native core is not built here")
    monkeypatch.setattr(fb.Layout, "PackI8N4K16", fb.Layout.PackF32N8)
    with pytest.raises(CompileError) as caught:
        compile_onnx(compiled.onnx, tmp_path / "m.still")
    assert caught.value.code == "C048"
    assert list(tmp_path.iterdir()) == []


def test_reader_finds_damage(compiled: Compiled, tmp_path: Path) -> None:
    data = compiled.int8.read_bytes()
    path = tmp_path / "m.still"
    for position, code in ((0, "F003"), (20, "F005"), (70, "F009"), (len(data) - 65, "F020")):
        path.write_bytes(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
        with pytest.raises(FormatError) as caught:
            read_still(path)
        assert caught.value.code == code
    path.write_bytes(data[:-64])
    with pytest.raises(FormatError) as caught:
        read_still(path)
    assert caught.value.code == "F007"
