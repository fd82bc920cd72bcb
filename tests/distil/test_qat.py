"""Training for a scheme: never worse on validation, resumed to the same bits, compiled to what was trained."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from killed import Killed, kill_after, same, weights
from potstill.compile import compile_onnx
from potstill.compile.evaluate import Evaluator
from potstill.distil.train import checkpoints
from potstill.export.onnx import export_onnx
from potstill.models.tokens import encode, load_tokenizer
from potstill.quantize import qat
from potstill.quantize.fused_layers import Layout
from potstill.recipe.schema import Quantize
from potstill.still.reader import read_still
from potstill.still.schemes import scheme_by_name
from potstill.work.progress import QuietProgress

SCHEME = scheme_by_name("int4")


@pytest.fixture
def train(
    splits: Any,
    make_recipe: Callable[..., Any],
    tiny_teacher: Path,
    tmp_path: Path,
    layout: Layout,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., dict[str, Any]]:
    """Call `quantize_aware` in folders of this test; the student is the teacher itself."""
    monkeypatch.setattr(qat, "student_layout", lambda *given, **settings: layout)

    def call(name: str, epochs: float = 1.0, rate: float = 2e-3) -> dict[str, Any]:
        recipe = make_recipe().model_copy(update={"quantize": Quantize(qat_epochs=epochs, qat_learning_rate=rate)})
        return qat.quantize_aware(
            recipe,
            splits,
            tiny_teacher,
            tiny_teacher,
            tmp_path / name,
            scheme=SCHEME,
            max_tokens=16,
            cache=tmp_path / "cache",
            work=tmp_path / f"{name}.work",
            progress=QuietProgress(),
        )

    return call


@pytest.mark.builds
def test_the_file_has_the_accuracy_that_training_tells(
    train: Any, tiny_teacher: Path, splits: Any, tmp_path: Path
) -> None:
    found = train("qat", epochs=2)
    json.dumps(found)
    assert [entry["epoch"] for entry in found["epochs"]] == [0, 1, 2]
    assert found["epochs"][0]["accuracy"] == pytest.approx(found["start"]["validation_accuracy"])
    assert found["validation_accuracy"] >= found["start"]["validation_accuracy"]
    assert weights(tmp_path / "qat").keys() == weights(tiny_teacher).keys()
    onnx = export_onnx(tmp_path / "qat", tmp_path / "m.onnx", max_tokens=16)
    compile_onnx(onnx, tmp_path / "m.still", scheme=SCHEME, verify=False)
    evaluator = Evaluator(read_still(tmp_path / "m.still"))
    ids = encode(load_tokenizer(tmp_path / "qat"), list(splits.test["text"]), 16)
    answers = [int(np.argmax(evaluator.run(row.tolist()).logits)) for row in ids]
    right = np.mean([answer == label for answer, label in zip(answers, splits.test["label"], strict=True)])
    # One text of 32 may lie on an edge: numpy's sums have another order.
    assert right == pytest.approx(found["test_accuracy"], abs=1.5 / 32)


def test_a_start_that_is_best_is_kept(train: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    values = iter([0.9, 0.5, 0.9])

    def scripted(self: checkpoints.KeepBest, state: Any, model: Any, epoch: int) -> None:
        self.measure = lambda _: next(values)
        original(self, state, model, epoch)

    original = checkpoints.KeepBest._evaluate_weights
    monkeypatch.setattr(checkpoints.KeepBest, "_evaluate_weights", scripted)
    found = train("qat", epochs=2, rate=0.1)
    assert found["best_epoch"] == 0
    assert found["validation_accuracy"] == pytest.approx(found["start"]["validation_accuracy"], abs=1.5 / 32)
    assert found["test_accuracy"] == pytest.approx(found["start"]["test_accuracy"], abs=1.5 / 32)


@pytest.mark.builds
@pytest.mark.parametrize("writes", [2])
def test_a_killed_run_resumes_to_the_same_bits(
    train: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, writes: int
) -> None:
    whole = train("whole")
    with monkeypatch.context() as patch:
        kill_after(patch, writes)
        with pytest.raises(Killed):
            train("broken")
    assert not (tmp_path / "broken").exists()
    resumed = train("broken")
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "broken"))
    assert [entry["accuracy"] for entry in resumed["epochs"]] == [entry["accuracy"] for entry in whole["epochs"]]


@pytest.mark.parametrize(("epochs", "steps", "told"), [(0.5, 4, [0, 1]), (1.5, 11, [0, 1, 2])])
def test_parts_of_epochs(train: Any, epochs: float, steps: int, told: list[int]) -> None:
    found = train("qat", epochs=epochs)
    # 96 labelled and 16 unlabelled rows in batches of 16: 7 steps an epoch.
    assert found["epochs"][-1]["step"] == steps
    assert [entry["epoch"] for entry in found["epochs"]] == told
