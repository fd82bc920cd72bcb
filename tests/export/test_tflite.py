"""TFLite export: signatures, numbers, metadata, int8, failures."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

import tiny
from potstill.card.notes import TFLITE_NOTES, notes_in_tflite
from potstill.errors import ExportError, SystemFailure
from potstill.export import tflite
from potstill.export.tflite import export_tflite, quantize_tflite_int8


def run(path: Path, signature: str, row: list[int]) -> Any:
    runner = Interpreter(model_path=str(path), num_threads=1).get_signature_runner(signature)
    length = int(signature.removeprefix("tokens_"))
    # Rubbish behind the mask must not matter.
    ids = np.array([[*row, *[7] * (length - len(row))]], np.int32)
    return runner(input_ids=ids, attention_mask=np.array([[1] * len(row) + [0] * (length - len(row))], np.int32))


def full_connected_version(path: Path) -> int:
    model = schema.Model.GetRootAs(bytearray(path.read_bytes()), 0)
    codes = [model.OperatorCodes(index) for index in range(model.OperatorCodesLength())]
    return max(code.Version() for code in codes if code.BuiltinCode() == schema.BuiltinOperator.FULLY_CONNECTED)


def test_signatures(base: Path) -> None:
    interpreter = Interpreter(model_path=str(tiny.build(base)["tflite"]))
    found = interpreter.get_signature_list()
    assert set(found) == {"tokens_24", "tokens_8"}
    for ends in found.values():
        assert (sorted(ends["inputs"]), sorted(ends["outputs"])) == (
            ["attention_mask", "input_ids"],
            ["embedding", "logits"],
        )
    # A tool that knows no signatures sees the longest.
    for detail in interpreter.get_input_details():
        assert (detail["shape"].tolist(), detail["dtype"]) == ([1, 24], np.int32)


@pytest.mark.parametrize("signature", ["tokens_24", "tokens_8"])
def test_equals_pytorch(base: Path, signature: str) -> None:
    path = tiny.build(base)["tflite"]
    for length in (1, 2, 5, 8):
        row = np.random.default_rng(length).integers(4, tiny.VOCABULARY, length).tolist()
        logits, pooled = tiny.torch_outputs(tiny.model(base, "mean"), [row])
        found = run(path, signature, row)
        np.testing.assert_allclose(found["logits"], logits, rtol=0, atol=2e-5)
        np.testing.assert_allclose(found["embedding"], pooled, rtol=0, atol=2e-5)


def test_weights_are_stored_once(base: Path) -> None:
    path = tiny.build(base)["tflite"]
    weights = sum(parameter.numel() * 4 for parameter in tiny.reference(tiny.model(base, "mean")).parameters())
    # Two signatures over one set of weights; the graphs themselves take about 90 kB each.
    assert path.stat().st_size < weights + 220_000


def test_metadata(base: Path) -> None:
    files = tiny.build(base)
    wanted = {
        "labels": tiny.LABELS, "max_tokens": 24, "pad_id": 0, "vocabulary": tiny.VOCABULARY,
        "task": "text-classification", "lengths": [24, 8],
    }  # fmt: skip
    for key in ("tflite", "tflite_int8"):
        found = notes_in_tflite(files[key])
        assert found.pop("producer").startswith("potstill ")
        assert found == wanted
        with zipfile.ZipFile(files[key]) as archive:
            assert archive.namelist() == [TFLITE_NOTES]
        assert str(base).encode() not in files[key].read_bytes()


def test_int8(base: Path) -> None:
    files = tiny.build(base)
    details = Interpreter(model_path=str(files["tflite_int8"])).get_tensor_details()
    scales = {tuple(d["shape"]): len(d["quantization_parameters"]["scales"]) for d in details if d["dtype"] is np.int8}
    # Embedding rows and output channels have a scale each.
    assert scales == {(160, 48): 160, (48, 48): 48, (96, 48): 96, (48, 96): 48, (3, 48): 3}
    row = tiny.ragged()[2]
    found, wanted = run(files["tflite_int8"], "tokens_24", row), run(files["tflite"], "tokens_24", row)
    assert np.abs(found["logits"] - wanted["logits"]).max() < 0.1 * np.abs(wanted["logits"]).max()
    # The version that old runtimes refuse, since they would take the first channel's scale for all.
    assert full_connected_version(files["tflite_int8"]) == 12
    assert full_connected_version(files["tflite"]) < 12


def test_int8_for_old_runtimes(base: Path, tmp_path: Path) -> None:
    files = tiny.build(base)
    out = quantize_tflite_int8(files["tflite"], tmp_path / "old.tflite", per_channel=False)
    details = Interpreter(model_path=str(out)).get_tensor_details()
    assert {len(d["quantization_parameters"]["scales"]) for d in details if d["dtype"] is np.int8} == {1}
    assert full_connected_version(out) < 12


def test_not_a_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ExportError, match="X011") as caught:
        export_tflite(tmp_path, tmp_path / "m.tflite", length=8)
    assert "Traceback" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_bad_arguments(base: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="X010"):
        export_tflite(tmp_path, tmp_path / "m.tflite", length=0)
    with pytest.raises(ExportError, match="X013"):
        quantize_tflite_int8(tiny.onnx_file(base, "mean"), tmp_path / "q.tflite")
    assert list(tmp_path.iterdir()) == []


def test_converter_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tflite, "find_spec", lambda name: None)
    with pytest.raises(SystemFailure, match=r"S010.*litert-torch.*potstill\[tflite\]"):
        export_tflite(tmp_path, tmp_path / "m.tflite", length=8)


def test_a_killed_converter_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tflite, "_WORKER", ("-c", "import os; os.kill(os.getpid(), 9)"))
    out = tmp_path / "m.tflite"
    out.write_bytes(b"old")
    with pytest.raises(ExportError, match=r"X011.*ended by signal 9"):
        export_tflite(tmp_path, out, length=8)
    assert out.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [out]
