"""Losses against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from potstill.distil.losses import LOSSES, TOKEN_LOSSES, LossInputs, total
from potstill.errors import TrainError
from potstill.recipe.schema import Distil

LN2 = math.log(2.0)


def test_hard_loss_is_cross_entropy_and_skips_rows_without_label() -> None:
    # softmax([ln 3, 0]) = [3/4, 1/4]
    logits = torch.tensor([[math.log(3.0), 0.0], [math.log(3.0), 0.0], [5.0, 1.0]])
    loss = LOSSES["hard"](LossInputs(logits, labels=torch.tensor([0, 1, -100])))
    assert loss.tolist() == pytest.approx([math.log(4 / 3), math.log(4.0), 0.0])


def test_soft_loss_is_t_squared_times_kl_of_teacher_to_student() -> None:
    # At T = 2: teacher [2 ln 3, 0] -> [3/4, 1/4]; student [0, 0] -> [1/2, 1/2].
    outputs = LossInputs(
        student_logits=torch.zeros(1, 2), teacher_logits=torch.tensor([[2 * math.log(3.0), 0.0]]), temperature=2.0
    )
    kl = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert LOSSES["soft"](outputs).item() == pytest.approx(4 * kl, rel=1e-6)


def test_soft_loss_is_not_the_reverse_kl() -> None:
    teacher, student = torch.tensor([[4.0, 0.0]]), torch.zeros(1, 2)
    forward = LOSSES["soft"](LossInputs(student, teacher_logits=teacher)).item()
    backward = LOSSES["soft"](LossInputs(teacher, teacher_logits=student)).item()
    assert forward != pytest.approx(backward, rel=0.1)


def test_pooled_cosine() -> None:
    student = torch.tensor([[1.0, 0.0], [2.0, 0.0], [-3.0, 0.0]])
    teacher = torch.tensor([[5.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    outputs = LossInputs(torch.zeros(3, 2), student_pooled=student, teacher_pooled=teacher)
    assert LOSSES["pooled_cosine"](outputs).tolist() == pytest.approx([0.0, 1.0, 2.0])


def test_total_is_the_weighted_mean_and_reports_parts() -> None:
    outputs = LossInputs(
        student_logits=torch.zeros(2, 2),
        teacher_logits=torch.zeros(2, 2),
        student_pooled=torch.tensor([[1.0, 0.0], [1.0, 0.0]]),
        teacher_pooled=torch.tensor([[1.0, 0.0], [0.0, 1.0]]),
        labels=torch.tensor([0, -100]),
        temperature=2.0,
    )
    value, parts = total(outputs, {"hard": 0.5, "soft": 0.5, "pooled_cosine": 3.0})
    # hard: (ln 2 + 0) / 2, soft: 0, cosine: (0 + 1) / 2
    assert value.item() == pytest.approx(0.5 * LN2 / 2 + 3.0 * 0.5)
    assert {name: part.item() for name, part in parts.items()} == pytest.approx(
        {"hard": LN2 / 2, "soft": 0.0, "pooled_cosine": 0.5}
    )


def test_weight_zero_needs_no_teacher() -> None:
    value, parts = total(LossInputs(torch.zeros(1, 2), labels=torch.tensor([1])), {"hard": 1.0, "soft": 0.0})
    assert value.item() == pytest.approx(LN2)
    assert set(parts) == {"hard"}


def test_losses_of_tokens_have_a_key() -> None:
    assert set(TOKEN_LOSSES) <= set(Distil.model_fields)


@pytest.mark.parametrize(("weights", "code"), [({"hint": 1.0}, "T020"), ({"soft": 1.0}, "T021")])
def test_errors(weights: dict[str, float], code: str) -> None:
    with pytest.raises(TrainError) as error:
        total(LossInputs(torch.zeros(1, 2)), weights)
    assert error.value.code == code
