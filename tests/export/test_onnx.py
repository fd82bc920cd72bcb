"""ONNX export: the graph's form, its numbers at every length, and what happens when something is wrong."""

from __future__ import annotations

import contextlib
import json
import platform
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

import tiny
from potstill.errors import ExportError, TrainError
from potstill.export import onnx as exporter
from potstill.export import plain
from potstill.export.onnx import export_onnx, quantize_onnx_int8

KINDS = ("mean", "cls", "bert", "roberta", "distilbert")
JUNK = {"IsNaN", "Where", "Expand", "GatherND", "Range", "ScatterND", "ConstantOfShape", "If", "Concat"}


def run(path: Path, ids: list[list[int]], mask: list[list[int]] | None = None) -> list[Any]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    given = np.array(ids, np.int64)
    feed = {"input_ids": given, "attention_mask": np.ones_like(given) if mask is None else np.array(mask, np.int64)}
    return list(session.run(["logits", "embedding"], feed))


@pytest.mark.parametrize("kind", KINDS)
def test_equals_pytorch_at_every_length(base: Path, kind: str) -> None:
    path, folder = tiny.onnx_file(base, kind), tiny.model(base, kind)
    for length in range(1, tiny.MAX_TOKENS + 1):
        ids = np.random.default_rng(length).integers(4, tiny.VOCABULARY, (2, length)).tolist()
        for found, wanted in zip(run(path, ids), tiny.torch_outputs(folder, ids), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_nothing(base: Path, kind: str) -> None:
    rows = tiny.ragged()
    length = max(map(len, rows))
    # Whatever stands behind the mask must not matter: fill with a real token, not with the padding id.
    ids = [row + [9] * (length - len(row)) for row in rows]
    mask = [[1] * len(row) + [0] * (length - len(row)) for row in rows]
    found = run(tiny.onnx_file(base, kind), ids, mask)
    for got, wanted in zip(found, tiny.torch_outputs(tiny.model(base, kind), rows), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=0, atol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_graph_is_plain(base: Path, kind: str) -> None:
    model = onnx.load(str(tiny.onnx_file(base, kind)))
    kinds = [node.op_type for node in model.graph.node]
    assert not JUNK & set(kinds)
    # One Shape for the position slice; all reshapes have constant targets.
    assert kinds.count("Shape") == 1
    constants = {tensor.name for tensor in model.graph.initializer}
    assert all(node.input[1] in constants for node in model.graph.node if node.op_type == "Reshape")
    # A layer has 6 linear layers, which stay MatMul and Add on [batch, length, width], and 2 products of attention.
    assert kinds.count("MatMul") == tiny.LAYERS[kind] * (6 + 2)


def test_interface_and_metadata(base: Path) -> None:
    path = tiny.onnx_file(base, "mean")
    model = onnx.load(str(path))
    shapes = {
        value.name: (
            value.type.tensor_type.elem_type,
            [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim],
        )
        for value in [*model.graph.input, *model.graph.output]
    }
    assert shapes == {
        "input_ids": (onnx.TensorProto.INT64, ["batch", "length"]),
        "attention_mask": (onnx.TensorProto.INT64, ["batch", "length"]),
        "logits": (onnx.TensorProto.FLOAT, ["batch", 3]),
        "embedding": (onnx.TensorProto.FLOAT, ["batch", 48]),
    }
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(metadata["labels"]) == tiny.LABELS
    assert metadata["max_tokens"] == str(tiny.MAX_TOKENS)
    assert metadata["vocabulary"] == "160"
    assert metadata["producer"].startswith("potstill ")
    assert model.opset_import[0].version == 18
    assert model.ir_version <= 8
    # One file, and nothing in it of the machine it was made on.
    assert sorted(base.glob("mean.opset18.*")) == [path]
    content = path.read_bytes()
    assert str(base).encode() not in content
    assert b"site-packages" not in content


def test_opset_13_is_13_and_export_says_nothing(base: Path, capfd: pytest.CaptureFixture[str]) -> None:
    tiny.model(base, "cls")
    capfd.readouterr()
    path = tiny.onnx_file(base, "cls", 13)
    quantize_onnx_int8(path, base / "cls.int8.onnx")
    assert capfd.readouterr() == ("", "")
    model = onnx.load(str(path))
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 13)]
    assert model.ir_version == 7
    for node in model.graph.node:
        schema = onnx.defs.get_schema(node.op_type, 13)
        assert {attribute.name for attribute in node.attribute} <= set(schema.attributes)
        assert len(node.input) <= schema.max_input
    for row in tiny.ragged():
        for found, wanted in zip(run(path, [row]), run(tiny.onnx_file(base, "cls"), [row]), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)


def test_max_tokens_is_cut_to_the_position_table(base: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = []
    monkeypatch.setattr(exporter, "_traced", lambda plain, card: seen.append(card.max_tokens) or 1 / 0)
    for given in (12, 4000):
        with pytest.raises(ZeroDivisionError):
            export_onnx(tiny.model(base, "mean"), tmp_path / "m.onnx", max_tokens=given)
    assert seen == [12, tiny.MAX_TOKENS]


def test_unknown_opset(base: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="X001"):
        export_onnx(tiny.model(base, "mean"), tmp_path / "m.onnx", opset=9)


def test_not_a_model(tmp_path: Path) -> None:
    with pytest.raises(TrainError):
        export_onnx(tmp_path, tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_failure_keeps_the_old_file(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("no translation for aten::strange")

    monkeypatch.setattr(exporter, "_traced", broken)
    out = tmp_path / "m.onnx"
    out.write_bytes(b"old")
    with pytest.raises(ExportError, match=r"X002.*aten::strange"):
        export_onnx(tiny.model(base, "mean"), out)
    assert out.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [out]


def test_transformers_own_mask_is_refused(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain.PlainClassifier, "plain_masks", lambda self: contextlib.nullcontext())
    with pytest.raises(ExportError, match=r"X003.*(Where|Expand)"):
        export_onnx(tiny.model(base, "cls"), tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_wrong_numbers_are_refused(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A mask that masks nothing while tracing, and the right one when PyTorch is asked.
    trace = exporter._traced

    def without_mask(*arguments: Any) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(plain, "MASKED_SCORE", 0.0)
            return trace(*arguments)

    monkeypatch.setattr(exporter, "_traced", without_mask)
    with pytest.raises(ExportError, match="X004"):
        export_onnx(tiny.model(base, "cls"), tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_int8(base: Path) -> None:
    files = tiny.build(base)
    model = onnx.load(str(files["onnx_int8"]))
    kinds = [node.op_type for node in model.graph.node]
    # 12 linear layers of the encoder and the head.
    assert kinds.count("MatMulInteger") == 13
    scales = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer if tensor.name.endswith("_scale")}
    # Per output channel: as many scales as the layer has outputs.
    assert sum(dims in ([48], [96]) for dims in scales.values()) == 12
    assert files["onnx_int8"].stat().st_size < files["onnx"].stat().st_size / 2
    wanted = {entry.key: entry.value for entry in onnx.load(str(files["onnx"])).metadata_props}
    assert {entry.key: entry.value for entry in model.metadata_props} == wanted
    for row in tiny.ragged():
        found, expected = run(files["onnx_int8"], [row])[0], run(files["onnx"], [row])[0]
        assert np.abs(found - expected).max() < (0.25 if saturates() else 0.15) * np.abs(expected).max()


def saturates() -> bool:
    """Whether onnxruntime adds pairs of int8 products in 16 bits here, which overflow: x86-64 without VNNI."""
    return platform.machine() == "x86_64" and "vnni" not in Path("/proc/cpuinfo").read_text(encoding="utf-8")


def test_int8_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"not a protobuf")
    with pytest.raises(ExportError, match="X005"):
        quantize_onnx_int8(tmp_path / "m.onnx", tmp_path / "q.onnx")
    assert not (tmp_path / "q.onnx").exists()
