"""How well vectors find what they should: nearest neighbours by cosine, each text against all others of its set."""

from __future__ import annotations

import numpy as np


def cosine(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cosine of each pair of rows, ``[rows, width]`` twice to ``[rows]`` f32; 0 where a vector is 0."""
    return np.asarray((_unit(first) * _unit(second)).sum(axis=1), dtype=np.float32)


def similarities(vectors: np.ndarray) -> np.ndarray:
    """Cosines of all pairs, ``[rows, rows]`` f32, a row with itself minus infinity: it never finds itself."""
    unit = _unit(vectors)
    found = unit @ unit.T
    np.fill_diagonal(found, -np.inf)
    return np.asarray(found, dtype=np.float32)


def neighbour_agreement(student: np.ndarray, teacher: np.ndarray) -> tuple[float, float]:
    """Does the student find the teacher's nearest neighbour?

    Args:
        student: ``[rows, width]``.
        teacher: ``[rows, another width]``, the same texts.

    Returns:
        accuracy@1: share of texts whose nearest neighbour is the teacher's; and the mean reciprocal rank of the
        teacher's nearest neighbour in the student's order (MRR; Voorhees, TREC-8, 1999). Both 0.0 for under two rows.
    """
    if len(student) < 2:
        return 0.0, 0.0
    wanted = similarities(teacher).argmax(axis=1)
    found = similarities(student)
    score = found[np.arange(len(found)), wanted]
    rank = 1 + (found > score[:, None]).sum(axis=1)
    return float((rank == 1).mean()), float((1.0 / rank).mean())


def same_class_at_1(vectors: np.ndarray, classes: np.ndarray) -> float | None:
    """Share of texts whose nearest neighbour has their class; None when the classes say nothing (under two)."""
    if len(vectors) < 2 or len(np.unique(classes)) < 2:
        return None
    nearest = similarities(vectors).argmax(axis=1)
    return float((classes[nearest] == classes).mean())


def _unit(vectors: np.ndarray) -> np.ndarray:
    wide = np.asarray(vectors, dtype=np.float32)
    norms = np.linalg.norm(wide, axis=1, keepdims=True)
    return np.asarray(wide / np.where(norms == 0, 1.0, norms))
