"""The multi-label task: losses against plain formulas, metrics by hand, teacher and student end to end."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from potstill.distil.distillation import distil
from potstill.distil.losses import LossInputs
from potstill.distil.losses.logits import hard_binary, soft_binary
from potstill.distil.teacher.finetune import finetune
from potstill.models.classifier import load_classifier, load_encoder
from potstill.models.evaluation import Outputs
from potstill.models.heads import Truth, task_named
from potstill.models.rows import TokenDataset
from potstill.models.tokens import NO_LABEL, Collator
from potstill.runtime.rows import TokenRows
from potstill.work.progress import QuietProgress

TASK = task_named("multi-label")
# Words of the tiny task (tests/support/tiny_task.py) that tell its two classes.
GROUPS = ({"bad", "dull", "poor", "sad"}, {"good", "fine", "great", "happy"})
STRONG = {"bad", "sad", "great", "happy"}


def test_label_array() -> None:
    assert TASK.label_array([[0, 2], [], [1]], 3).tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]]
    assert TASK.label_array([[0]], 3).dtype == np.float32


def test_hard_binary_is_the_mean_cross_entropy_and_skips_rows_without_labels() -> None:
    logits = torch.tensor([[2.0, -1.0], [0.5, 3.0]])
    labels = torch.tensor([[1.0, 0.0], [NO_LABEL, NO_LABEL]])
    p = torch.sigmoid(logits[0])
    wanted = -(torch.log(p[0]) + torch.log(1 - p[1])) / 2
    found = hard_binary(LossInputs(logits, labels=labels))
    assert found.tolist() == pytest.approx([float(wanted), 0.0], rel=1e-5)
    assert hard_binary(LossInputs(logits)).tolist() == [0.0, 0.0]


def test_soft_binary_is_the_divergence_of_each_label() -> None:
    student, teacher, t = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.5, 1.5]]), 2.0
    p, q = torch.sigmoid(teacher / t), torch.sigmoid(student / t)
    wanted = t * t * (p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()).mean()
    outputs = LossInputs(student, teacher_logits=teacher, temperature=t)
    assert float(soft_binary(outputs)) == pytest.approx(float(wanted), rel=1e-5)
    same = LossInputs(teacher, teacher_logits=teacher, temperature=t)
    assert float(soft_binary(same)) == pytest.approx(0.0, abs=1e-7)
    far = LossInputs(torch.tensor([[-200.0]]), teacher_logits=torch.tensor([[200.0]]), temperature=1.0)
    assert float(soft_binary(far)) == pytest.approx(200.0)


def test_metrics_by_hand() -> None:
    logits = np.array([[1, -1, 2], [-1, -1, -1], [3, 3, -1]], np.float32)
    truth = Truth(np.array([[1, 0, 0], [0, 0, 0], [1, 1, 0]], np.float32))
    # Given 4, wanted 3, right 3.
    assert TASK.metrics(Outputs(logits, logits[:, :0]), truth) == pytest.approx(
        {"micro_f1": 6 / 7, "subset_accuracy": 2 / 3}
    )
    none = Outputs(-np.ones((2, 3), np.float32), np.zeros((2, 0), np.float32))
    assert TASK.score(none, Truth(np.zeros((2, 3)))) == 1.0
    assert TASK.agreement(Outputs(logits, logits), Outputs(10 * logits, logits)) == 1.0
    assert TASK.agreement(Outputs(logits, logits), Outputs(-logits, logits)) == 0.0


def test_rows_of_labels_are_collated() -> None:
    data = TokenDataset(TokenRows([np.array([1, 2]), np.array([3])]), np.array([[1, 0], [NO_LABEL] * 2], np.float32))
    batch = Collator()([data[0], data[1]])
    assert batch["labels"].tolist() == [[1, 0], [-100, -100]] and batch["labels"].dtype == torch.float32


@pytest.fixture
def several(splits: Any) -> Any:
    """The tiny task with labels that overlap: a bad word, a good word, a strong word of either kind."""
    from datasets import Dataset

    for name in ("train", "validation", "test"):
        texts = list(getattr(splits, name)["text"])
        words = [set(text.split()) for text in texts]
        sets = [[i for i, group in enumerate(GROUPS) if found & group] for found in words]
        labels = [ids + [2] * bool(found & STRONG) for ids, found in zip(sets, words, strict=True)]
        setattr(splits, name, Dataset.from_dict({"text": texts, "label": labels}))
    splits.labels = ["bad", "good", "strong"]
    return splits


def test_teacher_and_student_learn_labels_side_by_side(
    several: Any, make_recipe: Callable[..., Any], tmp_path: Path
) -> None:
    recipe = make_recipe(
        teacher__epochs=20,
        teacher__early_stopping_patience=0,
        distil__epochs=10,
        distil__alpha=0.3,
    )
    recipe = recipe.model_copy(update={"task": "multi-label"})
    places = {"cache": tmp_path / "cache", "progress": QuietProgress()}
    taught = finetune(recipe, several, tmp_path / "teacher", work=tmp_path / "teacher.work", **places)
    assert taught["fine_tuned"] and taught["metric"] == "micro_f1" and taught["test_accuracy"] > 0.8
    assert set(taught["metrics"]) == {"micro_f1", "subset_accuracy"}
    facts = distil(recipe, several, tmp_path / "teacher", tmp_path / "student", work=tmp_path / "work", **places)
    assert facts["test_accuracy"] > 0.7 and facts["metrics"]["micro_f1"] == facts["test_accuracy"]
    for folder in ("teacher", "student"):
        config = load_classifier(tmp_path / folder).config
        assert config.problem_type == "multi_label_classification" and config.num_labels == 3
    # A model that knows the labels in this way is taken as it is, one with a softmax head is not.
    known = recipe.model_copy(
        update={"teacher": recipe.teacher.model_copy(update={"model": str(tmp_path / "teacher")})}
    )
    again = finetune(known, several, tmp_path / "again", work=tmp_path / "again.work", **places)
    assert not again["fine_tuned"] and again["test_accuracy"] == taught["test_accuracy"]


def test_a_softmax_head_is_trained_anew(several: Any, make_recipe: Callable[..., Any], tiny_encoder: Path,
                                        tmp_path: Path) -> None:  # fmt: skip
    load_encoder(tiny_encoder, labels=several.labels).save_pretrained(tmp_path / "softmax")
    for path in tiny_encoder.glob("tokenizer*"):
        shutil.copy(path, tmp_path / "softmax")
    recipe = make_recipe(teacher__model=str(tmp_path / "softmax"), teacher__epochs=1).model_copy(
        update={"task": "multi-label"}
    )
    facts = finetune(recipe, several, tmp_path / "out", cache=tmp_path, work=tmp_path / "w", progress=QuietProgress())
    assert facts["fine_tuned"]


def test_weights_follow_the_recipe() -> None:
    found = TASK.loss_weights(SimpleNamespace(alpha=0.25, pooled_cosine=2.0))
    assert found == {"hard_binary": 0.25, "soft_binary": 0.75, "pooled_cosine": 2.0}
