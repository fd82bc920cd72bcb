"""Distillation losses: each a function of student outputs and a batch, in a registry by name.

Every loss returns one value a row, so that rows without a label, or of several processes, weigh alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from potstill.distil.tokens import NO_LABEL
from potstill.errors import TrainError


@dataclass(frozen=True)
class Outputs:
    """What the losses see.

    Attributes:
        student_logits: ``[batch, labels]`` f32.
        teacher_logits: ``[batch, labels]`` f32, None when no loss with a weight reads it.
        student_pooled: ``[batch, teacher hidden]`` f32, already projected to the teacher's width.
        teacher_pooled: ``[batch, teacher hidden]`` f32.
        labels: ``[batch]`` int64, -100 for rows without a label.
        temperature: the T of the soft loss.
    """

    student_logits: torch.Tensor
    teacher_logits: torch.Tensor | None = None
    student_pooled: torch.Tensor | None = None
    teacher_pooled: torch.Tensor | None = None
    labels: torch.Tensor | None = None
    temperature: float = 1.0


Loss = Callable[[Outputs], torch.Tensor]


def hard(outputs: Outputs) -> torch.Tensor:
    """Cross-entropy against the label, ``[batch]``; 0 for rows without one."""
    if outputs.labels is None:
        return outputs.student_logits.new_zeros(len(outputs.student_logits))
    return F.cross_entropy(outputs.student_logits, outputs.labels, ignore_index=NO_LABEL, reduction="none")


def soft(outputs: Outputs) -> torch.Tensor:
    """``T^2 * KL(softmax(teacher / T) || softmax(student / T))``, ``[batch]``.

    T^2 keeps the gradient's size independent of T. Hinton, Vinyals, Dean: Distilling the Knowledge in a Neural
    Network, 2015.
    """
    teacher_logits = _need(outputs.teacher_logits, "teacher_logits")
    t = outputs.temperature
    student = F.log_softmax(outputs.student_logits / t, dim=-1)
    teacher = F.log_softmax(teacher_logits / t, dim=-1)
    return t * t * F.kl_div(student, teacher, log_target=True, reduction="none").sum(-1)


def hard_binary(outputs: Outputs) -> torch.Tensor:
    """Binary cross-entropy of each label against 1 or 0, mean over the labels, ``[batch]``; 0 for rows without labels.

    ``labels`` is ``[batch, labels]`` f32 here, -100 in rows that have none.
    """
    logits, labels = outputs.student_logits, outputs.labels
    if labels is None:
        return logits.new_zeros(len(logits))
    known = labels[:, 0] != NO_LABEL
    each = F.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype).clamp(min=0.0), reduction="none")
    return each.mean(-1) * known


def soft_binary(outputs: Outputs) -> torch.Tensor:
    """``T^2 * KL(sigmoid(teacher / T) || sigmoid(student / T))`` of each label, mean over the labels, ``[batch]``.

    `soft` for labels that do not exclude each other.
    """
    t = outputs.temperature
    teacher = _need(outputs.teacher_logits, "teacher_logits") / t
    student = outputs.student_logits / t
    present = teacher.sigmoid()
    # log sigmoid(-x) = log(1 - sigmoid(x)), without the cancellation.
    divergence = present * (F.logsigmoid(teacher) - F.logsigmoid(student)) + (1.0 - present) * (
        F.logsigmoid(-teacher) - F.logsigmoid(-student)
    )
    return t * t * divergence.mean(-1)


def pooled_cosine(outputs: Outputs) -> torch.Tensor:
    """``1 - cos(student pooled, teacher pooled)``, ``[batch]``.

    As the cosine loss between hidden states of DistilBERT (Sanh et al., 2019), on the pooled vector alone.
    """
    student = _need(outputs.student_pooled, "student_pooled")
    return 1.0 - F.cosine_similarity(student, _need(outputs.teacher_pooled, "teacher_pooled"), dim=-1)


def pooled_mse(outputs: Outputs) -> torch.Tensor:
    """``|student pooled - teacher pooled|^2 / mean |teacher pooled|^2``, ``[batch]``: the share of the teacher missed.

    Reimers and Gurevych, 2020, distil sentence vectors by their squared error; relative, its size does not depend on
    the width nor on the teacher's scale.
    """
    student, teacher = _need(outputs.student_pooled, "student_pooled"), _need(outputs.teacher_pooled, "teacher_pooled")
    size = teacher.square().sum(-1).mean().clamp(min=1e-12)
    return (student - teacher).square().sum(-1) / size


LOSSES: dict[str, Loss] = {
    "hard": hard,
    "soft": soft,
    "hard_binary": hard_binary,
    "soft_binary": soft_binary,
    "pooled_cosine": pooled_cosine,
    "pooled_mse": pooled_mse,
}
# Those that read pooled vectors.
POOLED = frozenset({"pooled_cosine", "pooled_mse"})


def total(outputs: Outputs, weights: Mapping[str, float]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """The weighted sum of losses, averaged over the rows of the batch.

    A row without a label has no hard loss; its soft loss has the same weight as any other row's.

    Args:
        outputs: what the losses see.
        weights: loss name to weight; losses of weight 0 are not computed.

    Returns:
        The scalar loss, and each loss's own mean (before its weight) for the log.

    Raises:
        TrainError: T020 unknown loss, T021 a loss lacks its teacher outputs.
    """
    value = outputs.student_logits.new_zeros(())
    parts: dict[str, torch.Tensor] = {}
    for name, weight in weights.items():
        if name not in LOSSES:
            raise TrainError("T020", f"unknown loss {name!r}", "the loss weights", f"use one of {', '.join(LOSSES)}")
        if weight == 0:
            continue
        mean = LOSSES[name](outputs).mean()
        value = value + weight * mean
        parts[name] = mean.detach()
    return value, parts


def _need(tensor: torch.Tensor | None, name: str) -> torch.Tensor:
    if tensor is None:
        raise TrainError(
            "T021", f"the loss needs {name}", "the training batch", f"give a teacher_model or a {name} column"
        )
    return tensor
