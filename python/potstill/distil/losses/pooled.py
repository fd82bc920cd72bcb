"""Losses on the pooled vector, the one the head reads."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from potstill.distil.losses.outputs import Outputs, need


def pooled_cosine(outputs: Outputs) -> torch.Tensor:
    """``1 - cos(student pooled, teacher pooled)``, ``[batch]``.

    As the cosine loss between hidden states of DistilBERT (Sanh et al., 2019), on the pooled vector alone.
    """
    student = need(outputs.student_pooled, "student_pooled")
    return 1.0 - F.cosine_similarity(student, need(outputs.teacher_pooled, "teacher_pooled"), dim=-1)


def pooled_mse(outputs: Outputs) -> torch.Tensor:
    """``|student pooled - teacher pooled|^2 / mean |teacher pooled|^2``, ``[batch]``: the share of the teacher missed.

    Reimers and Gurevych, 2020, distil sentence vectors by their squared error; relative, its size does not depend on
    the width nor on the teacher's scale.
    """
    student, teacher = need(outputs.student_pooled, "student_pooled"), need(outputs.teacher_pooled, "teacher_pooled")
    size = teacher.square().sum(-1).mean().clamp(min=1e-12)
    return (student - teacher).square().sum(-1) / size
