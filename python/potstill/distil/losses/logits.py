"""Losses on the logits: against the label, and against the teacher's softened distribution."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from potstill.distil.losses.base import LossInputs, loss, need
from potstill.models.tokens import NO_LABEL


@loss(reads="labels")
def hard(given: LossInputs) -> torch.Tensor:
    """Cross-entropy against the label times its class's weight, ``[batch]``; 0 for rows without one."""
    if given.labels is None:
        return given.student_logits.new_zeros(len(given.student_logits))
    weights = given.class_weights
    return F.cross_entropy(given.student_logits, given.labels, weight=weights, ignore_index=NO_LABEL, reduction="none")


@loss(reads="logits")
def soft(given: LossInputs) -> torch.Tensor:
    """``T^2 * KL(softmax(teacher / T) || softmax(student / T))``, ``[batch]``.

    T^2 keeps the gradient's size independent of T. Hinton, Vinyals, Dean: Distilling the Knowledge in a Neural
    Network, 2015.
    """
    teacher_logits = need(given.teacher_logits, "teacher_logits")
    t = given.temperature
    student = F.log_softmax(given.student_logits / t, dim=-1)
    teacher = F.log_softmax(teacher_logits / t, dim=-1)
    return t * t * F.kl_div(student, teacher, log_target=True, reduction="none").sum(-1)


@loss(reads="labels")
def hard_binary(given: LossInputs) -> torch.Tensor:
    """Binary cross-entropy of each label against 1 or 0, mean over the labels, ``[batch]``; 0 for rows without labels.

    ``labels`` is ``[batch, labels]`` f32 here, -100 in rows that have none.
    """
    logits, labels = given.student_logits, given.labels
    if labels is None:
        return logits.new_zeros(len(logits))
    known = labels[:, 0] != NO_LABEL
    each = F.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype).clamp(min=0.0), reduction="none")
    return each.mean(-1) * known


@loss(reads="logits")
def soft_binary(given: LossInputs) -> torch.Tensor:
    """``T^2 * KL(sigmoid(teacher / T) || sigmoid(student / T))`` of each label, mean over the labels, ``[batch]``.

    `soft` for labels that do not exclude each other.
    """
    t = given.temperature
    teacher = need(given.teacher_logits, "teacher_logits") / t
    student = given.student_logits / t
    present = teacher.sigmoid()
    # log sigmoid(-x) = log(1 - sigmoid(x)), without the cancellation.
    divergence = present * (F.logsigmoid(teacher) - F.logsigmoid(student)) + (1.0 - present) * (
        F.logsigmoid(-teacher) - F.logsigmoid(-student)
    )
    return t * t * divergence.mean(-1)
