"""The student's head fitted to the teacher's logits."""

from __future__ import annotations

import numpy as np

from potstill.distil.students.basis import steady_ridge
from potstill.distil.students.job import Job
from potstill.distil.students.weights import put
from potstill.models.classifier import labels_words
from potstill.models.evaluation import outputs
from potstill.runtime.rows import TokenRows


def fit_head(job: Job) -> None:
    """Ridge regression from what the student's last layer reads to the teacher's logits over the sample rows.

    A hidden layer of the head gets random directions of unit variance first. A student without
    head is left as it is; for one that labels words every token is a row.
    """
    if job.student.classifier is None:
        return
    ours, theirs = job.rows, job.teacher_rows
    if words := labels_words(job.teacher.config):
        every = [np.arange(length) for length in ours.lengths]
        ours, theirs = (TokenRows(rows.ids, rows.types, every, rows.pad_id) for rows in (ours, theirs))
    taught = outputs(job.teacher, theirs).logits
    read = outputs(job.student, ours, states=words).pooled
    if job.student.head is not None:
        read = _random_features(job, read)
    weight, bias = steady_ridge(read, taught)
    put(job.student.classifier.weight, weight)
    put(job.student.classifier.bias, bias)


def _random_features(job: Job, pooled: np.ndarray) -> np.ndarray:
    """Set the hidden layer so that its sums have mean 0 and variance 1 over the rows; give what it passes on."""
    layer = job.student.head
    assert layer is not None
    random = np.random.default_rng(0)
    mean, deviation = pooled.mean(axis=0), pooled.std(axis=0)
    directions = random.standard_normal((layer.out_features, layer.in_features)) / np.sqrt(layer.in_features)
    weight = np.asarray(directions / np.maximum(deviation, 1e-3 * max(float(deviation.max()), 1e-30)), dtype=np.float32)
    bias = np.asarray(-weight @ mean, dtype=np.float32)
    put(layer.weight, weight)
    put(layer.bias, bias)
    return np.asarray(np.maximum(pooled @ weight.T + bias, 0.0), dtype=np.float32)
