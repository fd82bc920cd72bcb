"""A whole build with every stage real: tiny teacher, own CSV file, own recipe; then again; then the model is used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

# A build by the library, with a short benchmark: two rounds at one length, no measurement of memory.
COMMAND = """
import functools, json, sys, time
from pathlib import Path
start = time.monotonic()
from potstill.pipeline.progress import make_progress
from potstill.pipeline.run import run_build
from potstill.recipe import load_recipe
from potstill.bench import measure
measure.bench_host = functools.partial(measure.bench_host, rounds=2, lengths=(16,), memory=False)
recipe, out, cache = map(Path, sys.argv[1:4])
last = sys.argv[4] or None
recipe = load_recipe(recipe, sys.argv[5:])
found = run_build(recipe, out, progress=make_progress(), cache=cache, stop_after=last)
modules = sorted({name.split(".")[0] for name in sys.modules})
print(json.dumps({"seconds": time.monotonic() - start, "modules": modules, "found": found}))
"""


class Build:
    """Builds of the tiny task; each is a process of its own."""

    def __init__(self, task: Any) -> None:
        self.task = task
        self.out: Path = task.folder / "out"

    def start(self, *settings: str, stop_after: str = "") -> subprocess.Popen[str]:
        paths = [str(path) for path in (self.task.recipe, self.out, self.task.folder / "cache")]
        command = [sys.executable, "-c", COMMAND, *paths, stop_after, *settings]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *settings: str, stop_after: str = "") -> tuple[dict[str, Any], str]:
        """What the process printed as JSON, and its progress."""
        process = self.start(*settings, stop_after=stop_after)
        output, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        return json.loads(output.splitlines()[-1]), errors

    def report(self) -> dict[str, Any]:
        """The content of report.json."""
        found: dict[str, Any] = json.loads((self.out / "report.json").read_text(encoding="utf-8"))
        return found


@pytest.fixture(scope="module")
def built(tiny_task: Any) -> Build:
    """The task, built once; its training was killed in the middle and resumed."""
    build = Build(tiny_task)
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


def test_every_artefact_is_there(built: Build) -> None:
    names = {path.name for path in built.out.iterdir() if not path.name.startswith(".")}
    assert names >= {
        "model.still", "model.onnx", "model.int8.onnx", "model.tflite", "model.int8.tflite", "tokenizer", "report.json",
    }  # fmt: skip
    assert not [path for path in built.out.rglob("*") if path.name.startswith(".tmp-") or path.suffix == ".work"]


def test_the_student_learnt_the_task_and_every_export_agrees(built: Build) -> None:
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


def test_second_build_is_quick_and_imports_no_heavy_library(built: Build) -> None:
    before = (built.out / "report.json").read_bytes()
    result, progress = built.run()
    assert progress.count("done earlier") == 8
    assert not {"torch", "transformers", "datasets", "onnx", "litert_torch"} & set(result["modules"])
    assert result["seconds"] < 10
    assert (built.out / "report.json").read_bytes() == before


def test_the_model_answers(built: Build) -> None:
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
def test_without_tflite_in_another_scheme(built: Build, scheme: str, least: float) -> None:
    """The benchmark is left out here: it takes half of a tiny build's time and has run already."""
    result, progress = built.run("export.tflite=false", f"compile.scheme={scheme}", stop_after="verify")
    assert "TFLite is left out: export.tflite = false" in progress
    assert "student: done earlier" in progress
    assert "tflite" not in result["found"]
    assert result["found"]["still"]["scheme"] == scheme
    assert result["found"]["verify"]["label_agreement"]["still"] >= least
    assert built.report()["packed"]["scheme"] == "int8", "a partial build publishes nothing"
