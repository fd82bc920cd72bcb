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
