"""Weights of uneven classes in the loss of student and teacher, and macro F1, by hand."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from transformers import TrainingArguments

from potstill.distil.losses import LossInputs
from potstill.distil.losses.logits import hard
from potstill.distil.train.class_weights import WeightedTrainer, balanced, chosen
from potstill.models.heads.classification import macro_f1
from potstill.models.recipes import load_recipe


def test_balanced_weights_make_classes_count_alike() -> None:
    labels = np.array([0] * 6 + [1] * 3 + [2] * 1 + [-100] * 5)
    weights = balanced(labels, 4)
    assert weights == pytest.approx([10 / 18, 10 / 9, 10 / 3, 1.0])
    assert weights[labels[labels >= 0]].mean() == pytest.approx(1.0)
    assert chosen(SimpleNamespace(class_weights="none"), labels, 4) is None
    assert chosen(SimpleNamespace(class_weights="balanced"), labels, 4) == pytest.approx(weights)


def test_the_students_loss_is_weighted() -> None:
    logits, labels = torch.tensor([[2.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), torch.tensor([0, 1, -100])
    plain = hard(LossInputs(logits, labels=labels))
    weighted = hard(LossInputs(logits, labels=labels, class_weights=torch.tensor([0.5, 4.0])))
    assert torch.allclose(weighted, plain * torch.tensor([0.5, 4.0, 0.0]))


class _Linear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def forward(self, input_ids: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"logits": self.layer(input_ids.float())}


def test_the_teachers_loss_is_weighted(tmp_path: Path) -> None:
    model = _Linear()
    arguments = TrainingArguments(str(tmp_path), report_to="none", use_cpu=True)
    trainer = WeightedTrainer(model, arguments, class_weights=np.array([0.5, 4.0], np.float32))
    batch = {"input_ids": torch.tensor([[1, 2], [3, 4], [0, 1]]), "labels": torch.tensor([0, 1, 1])}
    each = F.cross_entropy(model(batch["input_ids"])["logits"], batch["labels"], reduction="none")
    loss = trainer.compute_loss(model, batch)
    assert torch.allclose(loss, (each * torch.tensor([0.5, 4.0, 4.0])).mean()) and "labels" in batch


def test_macro_f1() -> None:
    truth = np.array([0, 0, 0, 1, 2])
    assert macro_f1(truth, truth) == 1.0
    # Always the commonest: F1 0.75, 0, 0, where accuracy says 60 %.
    assert macro_f1(np.zeros(5, int), truth) == pytest.approx(0.25)
    assert macro_f1(np.array([0, 0, 1, 1, 3]), truth) == pytest.approx((0.8 + 2 / 3 + 0 + 0) / 4)
    assert macro_f1(np.zeros(0, int), np.zeros(0, int)) == 0.0


@pytest.mark.parametrize("task", ["multi-label", "token-classification", "embedding"])
def test_other_tasks_refuse_weights(tmp_path: Path, task: str) -> None:
    path = tmp_path / "r.toml"
    path.write_text('name = "r"\n[teacher]\nmodel = "t"\n[data]\nsource = "d.csv"\n', encoding="utf-8")
    assert load_recipe(path, ["distil.class_weights=balanced"]).distil.class_weights == "balanced"
    with pytest.raises(Exception, match=r"class_weights weighs rows of one class each"):
        load_recipe(path, ["distil.class_weights=balanced", f"task={task}"])
