"""What the outputs of a student and of its exports are measured against on a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from potstill.models.evaluation import predictions
from potstill.models.heads.base import Task, Truth
from potstill.models.heads.embedding import teacher_projection
from potstill.work.progress import Progress


def truth_of(
    task: Task,
    dataset: Any,
    labels: list[str],
    student_dir: Path,
    teacher_dir: Path,
    max_tokens: int,
    *,
    progress: Progress | None = None,
) -> Truth:
    """The labels of the rows; for a task without labels also the teacher's vectors, computed here in f32.

    Args:
        task: the recipe's task.
        dataset: columns ``text`` and ``label``.
        labels: label names.
        student_dir: holds the projection the student was trained with.
        teacher_dir: run only where the task needs its vectors.
        max_tokens: tokens kept of each text.
        progress: reports the rows done.
    """
    array = task.label_array(list(dataset["label"]), len(labels))
    if task.labelled:
        return Truth(array)
    vectors = predictions(teacher_dir, dataset, max_tokens, progress=progress).pooled
    return Truth(array, vectors, teacher_projection(student_dir))
