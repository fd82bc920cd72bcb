"""The start from a teacher whose layers are not BERT's: its token table alone, seen through its main axes."""

from __future__ import annotations

import numpy as np

from potstill.distil.students.basis import principal_axes
from potstill.distil.students.head import fit_head
from potstill.distil.students.job import Job
from potstill.distil.students.weights import numbers, put
from potstill.errors import TrainError
from potstill.models.positions import encoder_module


def start_from_table(job: Job) -> None:
    """Set the student's token table; layers stay random, the head is fitted to the teacher's logits.

    Rows count by how often the sample text has them. They are centred, and scaled to what a random table has on that
    text: the random positions beside them are as large. Of a teacher with a narrower table the last columns are 0.

    Raises:
        TrainError: no sample text.
    """
    if not len(job.rows):
        raise TrainError("T048", "init pca needs training text", "data.train", "give a training set with rows")
    theirs = numbers(encoder_module(job.teacher).get_input_embeddings().weight)
    if job.kept is not None:
        theirs = theirs[job.kept]
    own = job.student.backbone.embeddings.word_embeddings.weight
    # A teacher's table may have more rows than its tokenizer has tokens.
    counts = np.ones(len(theirs))
    for row in job.rows.ids:
        np.add.at(counts, row, 1.0)
    share = counts / counts.sum()
    centred = theirs - share @ theirs
    words = centred @ principal_axes((centred * share[:, None]).T @ centred, own.shape[1])
    spread = float(np.sqrt(share @ (words**2).mean(axis=1)))
    put(own, words * (job.student.backbone.config.initializer_range / max(spread, 1e-12)))
    fit_head(job)
