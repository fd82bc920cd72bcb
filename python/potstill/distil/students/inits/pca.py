"""Initialisation by projection on principal axes: a smaller student that starts as the teacher seen through them.

The hidden states of the teacher on training text lie mostly in few directions; all weights are projected on the leading
ones (`projection`). Of a teacher whose layers are not BERT's only the token table can be (`token_table`).
"""

from __future__ import annotations

import numpy as np

from potstill.distil.students.basis import principal_axes
from potstill.distil.students.job import Job
from potstill.distil.students.projection import Projection, narrower
from potstill.distil.students.teacher_view import has_bert_layers
from potstill.distil.students.token_table import start_from_table


def initialise(job: Job) -> None:
    """Set the student's weights from the teacher's; records the axes in ``job.projection``.

    Raises:
        TrainError: student wider than a teacher with BERT's layers; no sample text.
    """
    if not has_bert_layers(job.teacher):
        start_from_table(job)
        return
    both = Projection(job, "pca")
    states = both.states()
    both.apply(principal_axes(_mean_moment(states), both.student.hidden), states["embeddings"])


def check(job: Job) -> None:
    """Teacher and student fit (errors as `initialise`)."""
    if has_bert_layers(job.teacher):
        narrower(job, "pca")


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
