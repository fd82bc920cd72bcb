"""A whole build of a mixed scheme whose student is trained for it, with a static ONNX beside; then what it tells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from potstill.cli import main
from potstill.models.recipes import load_recipe
from potstill.pipeline.builder import run_build
from potstill.pipeline.report.table import render
from potstill.still.reader import read_still
from potstill.still.schema import kind

pytestmark = pytest.mark.builds


@pytest.fixture(scope="module")
def built(tiny_task: Any) -> tuple[Path, dict[str, Any]]:
    """Folder and report."""
    settings = [
        "compile.scheme=mixed", "compile.mixed_drop=0.0005", "quantize.qat_epochs=1", "export.tflite=false",
        "export.onnx_static=true",
    ]  # fmt: skip
    out = tiny_task.folder / "out"
    return out, run_build(load_recipe(tiny_task.recipe, settings), out, cache=tiny_task.folder / "cache")


def test_the_file_has_the_dtypes_that_were_chosen(built: tuple[Path, dict[str, Any]]) -> None:
    out, report = built
    model = read_still(out / "model.still")
    assert report["packed"]["scheme"] == model.header.card.scheme == "mixed"
    dtypes = {op.name: model.dtype(op.body.weightT) for op in model.header.ops if kind(op) == "Linear"}
    chosen = report["packed"]["layers"]
    assert len(chosen) == 4 and {name: dtypes[name] for name in chosen} == chosen
    assert model.dtype(model.header.ops[0].body.wordT) == report["packed"]["embedding"]


def test_accuracies_are_kept_apart(built: tuple[Path, dict[str, Any]]) -> None:
    _, report = built
    cost = report["quantization"]
    assert cost["fp32_test_accuracy"] == report["student"]["test_accuracy"]
    assert cost["points"] == pytest.approx(
        100 * (report["packed"]["test_accuracy"] - cost["fp32_test_accuracy"]), abs=0.01
    )
    trained = cost["qat"]
    assert trained["validation_accuracy"] >= trained["start"]["validation_accuracy"]
    # The file answers as the student that was trained while it rounded; one text of 40 may lie on an edge.
    assert report["packed"]["test_accuracy"] == pytest.approx(trained["test_accuracy"], abs=1.5 / 40)
    assert report["label_agreement"]["still"] >= 0.95
    assert report["label_agreement"]["onnx_static"] >= 0.8
    # And the fp32 student as it was before is compared with too: the same answers unless training changed some.
    assert set(report["before_agreement"]) == set(report["label_agreement"])
    assert report["before_agreement"]["still"] >= 0.8


def test_table_and_command(built: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    out, report = built
    text = render(out)
    assert "mixed against the fp32 student" in text and "trained while rounded" in text and "static int8" in text
    assert main(["sensitivity", str(out), "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert table["layers"] == report["quantization"]["sensitivity"]["layers"]
    assert main(["sensitivity", str(out)]) == 0
    assert "word_embeddings" in capsys.readouterr().out
