"""Initialisation by projection on principal axes: a smaller student that starts as the teacher seen through them.

The hidden states of the teacher on training text lie mostly in few directions; all weights are projected on the leading
ones (`projection`).
"""

from __future__ import annotations

import numpy as np

from potstill.distil.evaluate import outputs
from potstill.distil.students.basis import principal_axes
from potstill.distil.students.projection import Projection, sample_rows
from potstill.distil.students.registry import Job
from potstill.distil.vocabulary import aligned_ids


def initialise(job: Job) -> None:
    """Set the student's weights from the teacher's; records the axes in ``job.projection``.

    Raises:
        TrainError: T042 teacher not of the BERT kind, T047 student wider than the teacher, T048 no sample text.
    """
    both = Projection(job, "pca")
    states = both.states()
    moment = _mean_moment(states)
    if job.student.classifier is None:
        # A sentence encoder's answer is the pooled vector. In 256 of 384 numbers, the axes of token states alone keep
        # 83 % of the squared length of the demo teacher's vectors (BBC test texts), these 89 %.
        rows = aligned_ids(sample_rows(job.ids, "pca"), job.kept)
        pooled = outputs(job.teacher, rows, pad_id=job.teacher_pad_id).pooled
        moment = (moment + _mean_moment({"pooled": pooled})) / 2
    both.apply(principal_axes(moment, both.student.hidden), states["embeddings"])


def _mean_moment(states: dict[str, np.ndarray]) -> np.ndarray:
    """Mean over the states of their second moments ``[hidden, hidden]``, each of trace 1: layers count alike."""
    total: np.ndarray | None = None
    for rows in states.values():
        wide = rows.astype(np.float64)
        moment = wide.T @ wide
        moment /= np.trace(moment)
        total = moment if total is None else total + moment
    assert total is not None
    return total / len(states)
