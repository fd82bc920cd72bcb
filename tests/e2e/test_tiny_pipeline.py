"""A whole build with every stage real: tiny teacher, own CSV file, own recipe; then again; then the model is used."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def built(make_build: Callable[[str], Any]) -> Any:
    """The task, built once; its training was killed in the middle and resumed."""
    build = make_build("out")
    process = build.start()
    students = build.out / "stages" / "student"
    end = time.monotonic() + 120
    while not list(students.glob("*.work/**/checkpoint-*")):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end, "no checkpoint of the student within two minutes"
        time.sleep(0.02)
    process.kill()
    process.communicate()
    assert not (build.out / "report.json").exists()
    _, progress = build.run()
    assert "teacher: done earlier" in progress
    assert "student: distilling the student, resuming" in progress
    return build


def test_every_artefact_is_there(built: Any) -> None:
    names = {path.name for path in built.out.iterdir() if not path.name.startswith(".")}
    assert names >= {
        "model.still", "model.onnx", "model.int8.onnx", "model.tflite", "model.int8.tflite", "tokenizer", "report.json",
        "README.md",
    }  # fmt: skip
    assert not [path for path in built.out.rglob("*") if path.name.startswith(".tmp-") or path.suffix == ".work"]


def test_the_student_learnt_the_task_and_every_export_agrees(built: Any) -> None:
    report = built.report()
    assert report["teacher"]["test_accuracy"] >= 0.9
    assert report["student"]["test_accuracy"] >= 0.9
    assert report["packed"]["test_accuracy"] >= 0.9
    assert report["retained"] == pytest.approx(report["packed"]["test_accuracy"] / report["teacher"]["test_accuracy"])
    for export in ("onnx", "tflite", "still_fp32"):
        assert report["label_agreement"][export] == 1.0, export
    assert {row["export"] for row in report["parity"]} == set(report["label_agreement"])
    for name, file in (("still", "model.still"), ("onnx", "model.onnx"), ("tflite_int8", "model.int8.tflite")):
        assert report["bytes"][name] == (built.out / file).stat().st_size
    assert {row["engine"] for row in report["bench"]} >= {"Potstill", "PyTorch"}


def test_second_build_is_quick_and_imports_no_heavy_library(built: Any) -> None:
    before = (built.out / "report.json").read_bytes()
    result, progress = built.run(fresh=True)
    assert progress.count("done earlier") == 8
    assert not {"torch", "transformers", "datasets", "onnx", "litert_torch"} & set(result["modules"])
    assert result["seconds"] < 10
    assert (built.out / "report.json").read_bytes() == before


def test_the_recipe_from_elsewhere_and_the_published_one_reuse_everything(built: Any, tmp_path: Path) -> None:
    """Real keys, of a local teacher and local data: none of them tells where anything lies."""
    for name in ("tiny.toml", "rows.csv"):
        shutil.copy(built.task.folder / name, tmp_path)
    shutil.copytree(built.task.folder / "teacher", tmp_path / "teacher")
    before = (built.out / "model.still").read_bytes()
    for recipe in (tmp_path / "tiny.toml", built.out / "recipe.toml"):
        other = dataclasses.replace(built.task, recipe=recipe)
        _, progress = type(built)(other, built.out.name).run(fresh=True)
        assert progress.count("done earlier") == 8, progress
    assert (built.out / "model.still").read_bytes() == before


def test_the_model_answers(built: Any) -> None:
    import potstill

    model = potstill.load(built.out / "model.still", threads=1)
    texts = built.task.sentences(40, seed=99)
    answers = [prediction.label for prediction in model.classify(texts)]
    right = sum(answer == ("negative", "positive")[index % 2] for index, answer in enumerate(answers))
    assert right >= 36
    info = model.info
    assert info["labels"] == ["negative", "positive"] or tuple(info["labels"]) == ("negative", "positive")
    assert info["max_tokens"] == 32
    assert info["provenance"]["recipe"] == "tiny"
    assert os.fspath(built.task.folder) not in json.dumps(info, default=str), (
        "no path of the building machine in the file"
    )


@pytest.mark.parametrize(("scheme", "least"), [("fp32", 1.0), ("int4", 0.8)])
def test_without_tflite_in_another_scheme(built: Any, scheme: str, least: float) -> None:
    """The benchmark is left out here: it takes half of a tiny build's time and has run already."""
    result, progress = built.run("export.tflite=false", f"compile.scheme={scheme}", stop_after="verify")
    assert "TFLite is left out: export.tflite = false" in progress
    assert "student: done earlier" in progress
    assert "tflite" not in result["found"]
    assert result["found"]["still"]["scheme"] == scheme
    assert result["found"]["verify"]["label_agreement"]["still"] >= least
    assert built.report()["packed"]["scheme"] == "int8", "a partial build publishes nothing"
