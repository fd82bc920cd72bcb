"""Losses on the pooled vector, the one the head reads."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from potstill.distil.losses.base import LossInputs, loss, need


@loss(reads="pooled")
def pooled_cosine(given: LossInputs) -> torch.Tensor:
    """``1 - cos(student pooled, teacher pooled)``, ``[batch]``.

    As the cosine loss between hidden states of DistilBERT (Sanh et al., 2019), on the pooled vector alone.
    """
    student = need(given.student_pooled, "student_pooled")
    return 1.0 - F.cosine_similarity(student, need(given.teacher_pooled, "teacher_pooled"), dim=-1)


@loss(reads="pooled")
def pooled_mse(given: LossInputs) -> torch.Tensor:
    """``|student pooled - teacher pooled|^2 / mean |teacher pooled|^2``, ``[batch]``: the share of the teacher missed.

    Reimers and Gurevych, 2020, distil sentence vectors by their squared error; relative, its size does not depend on
    the width nor on the teacher's scale.
    """
    student, teacher = need(given.student_pooled, "student_pooled"), need(given.teacher_pooled, "teacher_pooled")
    size = teacher.square().sum(-1).mean().clamp(min=1e-12)
    return (student - teacher).square().sum(-1) / size
