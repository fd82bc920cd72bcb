"""The embedding task: labels may be missing, the teacher is taken as it is, the student learns its vectors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import numpy as np
import pytest
import torch

from longer import longer
from potstill.data.labels import Raw
from potstill.distil.distillation import distil
from potstill.distil.losses import LossInputs, total
from potstill.distil.teacher.finetune import finetune
from potstill.errors import RecipeError, TrainError
from potstill.models.classifier import load_classifier, load_encoder
from potstill.models.evaluation import Outputs, predictions
from potstill.models.heads import TASKS, Truth, task_named
from potstill.models.heads.embedding import PROJECTION, project, teacher_projection
from potstill.models.recipes import parse_recipe
from potstill.models.truth import truth_of
from potstill.recipe.base import Task as TaskName
from potstill.recipe.schema import Data
from potstill.work.progress import QuietProgress

TASK = task_named("embedding")
DATA = Data(source="x.csv")


def test_registry() -> None:
    assert [task_named(name).name for name in TASKS] == list(TASKS)
    assert set(TASKS) == set(get_args(TaskName)), "a recipe can name every task that has a file, and no other"
    with pytest.raises(TrainError, match="T070"):
        task_named("translation")


def test_labels_are_used_where_they_are_and_not_missed_elsewhere() -> None:
    labelled = {"train": Raw(["a", "b"], ["x", "y"], "t"), "test": Raw(["c"], ["y"], "t")}
    assert TASK.read_labels(labelled, DATA) == ([], {"train": [0, 1], "test": [1]})
    for missing in (None, ["z"], [None]):
        raws = {**labelled, "test": Raw(["c"], missing, "t")}
        assert TASK.read_labels(raws, DATA) == ([], {"train": [-1, -1], "test": [-1]})


def test_an_encoder_without_labels_has_no_head(tiny_encoder: Path, tmp_path: Path) -> None:
    load_encoder(tiny_encoder, labels=[]).save_pretrained(tmp_path)
    model = load_classifier(tmp_path)
    assert model.config.num_labels == 0 and not [name for name in model.state_dict() if "classifier" in name]
    found = model(torch.tensor([[2, 5, 14, 3]]))
    assert found.logits.shape == (1, 0) and found.pooled.shape == (1, 24)


def test_pooled_mse_is_relative_to_the_teacher() -> None:
    teacher = torch.tensor([[3.0, 4.0], [0.0, 5.0]])
    outputs = LossInputs(torch.zeros(2, 0), student_pooled=torch.zeros(2, 2), teacher_pooled=teacher)
    value, parts = total(outputs, {"pooled_mse": 2.0})
    assert float(value) == pytest.approx(2.0) and float(parts["pooled_mse"]) == pytest.approx(1.0)
    scaled = LossInputs(torch.zeros(2, 0), student_pooled=7 * teacher * 0.9, teacher_pooled=7 * teacher)
    assert float(total(scaled, {"pooled_mse": 1.0})[0]) == pytest.approx(0.01, rel=1e-4)


def test_weights_follow_the_recipe() -> None:
    assert TASK.loss_weights(SimpleNamespace(pooled_cosine=0.0)) == {"pooled_cosine": 1.0, "pooled_mse": 1.0}
    assert TASK.loss_weights(SimpleNamespace(pooled_cosine=3.0))["pooled_cosine"] == 3.0


def test_metrics_and_agreement() -> None:
    vectors = np.eye(4, dtype=np.float32)[[0, 1, 2]] + 0.1
    projection = np.eye(4, 3, dtype=np.float32)
    found = Outputs(np.zeros((3, 0), np.float32), 2 * project(vectors, projection))
    figures = TASK.metrics(found, Truth(np.array([0, 0, 1]), vectors, projection))
    assert figures["cosine"] == pytest.approx(1.0)
    assert next(iter(figures)) == TASK.metric == "cosine"
    assert set(figures) == {"cosine", "neighbour_at_1", "neighbour_mrr", "class_at_1", "teacher_class_at_1"}
    assert "class_at_1" not in TASK.metrics(found, Truth(np.array([-1, -1, -1]), vectors, projection))
    turned = Outputs(found.logits, found.pooled[[0, 2, 1]])
    assert TASK.agreement(found, found) == 1.0
    assert TASK.agreement(turned, found) == pytest.approx(1 / 3)


def test_a_finetuned_embedding_teacher_makes_no_sense() -> None:
    content = {"name": "e", "task": "embedding", "teacher": {"model": "x", "finetune": "always"}}
    with pytest.raises(RecipeError, match="nothing is labelled"):
        parse_recipe({**content, "data": {"source": "texts.txt"}}, "test")


@pytest.fixture
def made(splits: Any, make_recipe: Callable[..., Any], tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Teacher and student of the embedding task in folders of this test; gives the student's facts."""
    splits.labels = []

    def call(**changes: Any) -> dict[str, Any]:
        recipe = make_recipe(**changes).model_copy(update={"task": "embedding"})
        places = {"cache": tmp_path / "cache", "progress": QuietProgress()}
        facts = finetune(recipe, splits, tmp_path / "teacher", work=tmp_path / "teacher.work", **places)
        assert not facts["fine_tuned"] and facts["test_accuracy"] == 1.0
        return distil(recipe, splits, tmp_path / "teacher", tmp_path / "student", work=tmp_path / "work", **places)

    return call


@pytest.mark.parametrize(
    "student",
    [
        {"student__hidden": 24, "student__intermediate": 48, "student__init": "copy"},
        *longer({}, {"student__init": "random"}),
    ],
)
def test_the_student_learns_the_teachers_vectors(
    made: Callable[..., dict[str, Any]], splits: Any, tmp_path: Path, student: dict[str, Any]
) -> None:
    facts = made(**student, distil__epochs=8)
    first, last = (max(entry["accuracy"] for entry in part) for part in (facts["epochs"][:1], facts["epochs"]))
    assert last > first and facts["metric"] == "cosine"
    assert facts["test_accuracy"] > 0.8
    assert facts["retained"] == pytest.approx(facts["test_accuracy"])
    assert "classifier" not in str(load_classifier(tmp_path / "student").state_dict().keys())
    projection = teacher_projection(tmp_path / "student")
    assert (
        (projection is None) == (student.get("student__init") == "copy") != (tmp_path / "student" / PROJECTION).exists()
    )
    # The same figures from the folders alone, as the verify stage asks for them.
    truth = truth_of(TASK, splits.test, [], tmp_path / "student", tmp_path / "teacher", 16)
    figures = TASK.metrics(predictions(tmp_path / "student", splits.test, 16), truth)
    assert figures["cosine"] == pytest.approx(facts["test_accuracy"], abs=1e-5)
    assert figures == pytest.approx(facts["metrics"], abs=1e-5)
