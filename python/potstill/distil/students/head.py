"""The student's head fitted to the teacher's logits."""

from __future__ import annotations

import numpy as np
import torch

from potstill.distil.evaluate import outputs
from potstill.distil.students.basis import ridge
from potstill.distil.students.registry import Job


def fit_head(job: Job) -> None:
    """Ridge regression from the student's pooled vectors to the teacher's logits over the sample rows.

    With fewer rows than pooled numbers the fit would be arbitrary: the strength of the ridge (1 % of the mean squared
    input) keeps it tame. A student without head is left as it is.
    """
    if job.student.classifier is None:
        return
    taught = outputs(job.teacher, job.ids, pad_id=job.pad_id, types=job.types).logits
    pooled = outputs(job.student, job.ids, pad_id=job.pad_id, types=job.types).pooled
    weight, bias = ridge(pooled, taught, strength=1e-2)
    with torch.no_grad():
        job.student.classifier.weight.copy_(torch.from_numpy(np.asarray(weight, dtype=np.float32)))
        job.student.classifier.bias.copy_(torch.from_numpy(np.asarray(bias, dtype=np.float32)))
