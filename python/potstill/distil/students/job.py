"""A student in the making: its kind built, its weights initialised. Kinds and initialisations are a file each."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from potstill.distil.students import inits, kinds
from potstill.distil.students.families import family_of
from potstill.distil.students.inherited import inherited_config
from potstill.distil.vocabulary.choice import aligned
from potstill.errors import TrainError
from potstill.models.classifier import EncoderClassifier, labels_words
from potstill.models.positions import encoder_module
from potstill.runtime.rows import TokenRows

if TYPE_CHECKING:
    from potstill.recipe.schema import Student


@dataclass
class Job:
    """What an initialisation is given, and what it sets.

    Attributes:
        settings: the student that is wanted.
        teacher: the teacher's classifier in eval mode, which reads all of the student's tokens (`widened`).
        labels: label names.
        rows: sample rows of training text as the student reads it, for initialisations that look at data; a few
            hundred suffice. Token types tell that texts are pairs.
        kept: the row in the teacher's token table of each of the student's ids (`Vocabulary`); None: the same.
        longest: tokens of the longest text that the student is made for; None keeps the teacher's positions.
        seed: seed of what stays random.
        student: the student, weights to be set in place.
        layers: the teacher's layer for each student layer.
        projection: ``[teacher hidden, student hidden]`` f32: set by an initialisation that chose axes.
    """

    settings: Student
    teacher: nn.Module
    labels: list[str]
    rows: TokenRows
    kept: np.ndarray | None = None
    longest: int | None = None
    seed: int = 42
    student: EncoderClassifier = field(init=False)
    layers: list[int] = field(init=False)
    projection: np.ndarray | None = field(init=False, default=None)

    @property
    def teacher_rows(self) -> TokenRows:
        """The sample rows in the teacher's ids, token by token the same pieces."""
        return aligned(self.rows, self.kept)


def make_student(job: Job) -> Job:
    """Build and initialise the student of a job.

    Returns:
        The job with its finished student, in training mode.

    Raises:
        TrainError: sizes that do not go together.
    """
    kind, init = _built(job)
    job.student.eval()
    init.initialise(job)
    if hasattr(kind, "finish"):
        kind.finish(job)
    # Last: a kind may have replaced the student.
    theirs, ours = job.teacher.config, job.student.config
    if getattr(theirs, "problem_type", None) == "multi_label_classification":
        ours.problem_type = theirs.problem_type
    if not job.labels and getattr(theirs, "normalized", False):
        ours.normalized = True
    job.student.train()
    return job


def check_student(job: Job) -> EncoderClassifier:
    """Raise what `make_student` would raise, for whatever text: sizes, layers, the teacher's kind.

    The teacher's weights on torch's device ``meta`` will do.

    Returns:
        The student's shape, its weights on the device ``meta``.
    """
    with torch.device("meta"):
        _, init = _built(job)
    if hasattr(init, "check"):
        init.check(job)
    return job.student


def _built(job: Job) -> tuple[Any, Any]:
    """Give the job the student as its constructor makes it; the modules of its kind and of its initialisation."""
    settings = job.settings
    _check_name(settings.architecture, kinds.NAMES, "architecture")
    kind = kinds.kind_named(settings.architecture)
    _check_name(settings.init, getattr(kind, "INITS", inits.NAMES), "init")
    encoder = encoder_module(job.teacher)
    size = None if job.kept is None else len(job.kept)
    inherited = inherited_config(encoder, job.rows.pad_id, job.longest, size)
    torch.manual_seed(job.seed)
    if labels_words(job.teacher.config):
        settings = settings.model_copy(update={"pooling": "none"})
    job.student = kind.build(settings, inherited, job.labels)
    job.layers = _chosen_layers(settings, encoder.config) if job.student.config.num_hidden_layers else []
    own = settings.init == "pca" and hasattr(kind, "initialise")
    return kind, kind if own else inits.init_named(settings.init)


def spread_layers(count: int, of: int) -> list[int]:
    """``count`` layers of a teacher's ``of``, evenly spread from the first: 3 of 6 gives 0, 2, 4."""
    return [index * of // count for index in range(count)]


def _check_name(name: str, table: Collection[str], key: str) -> None:
    if name not in table:
        raise TrainError("T044", f"unknown {key} {name!r}", f"student.{key}", f"use {' or '.join(table)}")


def _chosen_layers(settings: Student, teacher_config: Any) -> list[int]:
    given, depth = settings.init_layers, int(teacher_config.num_hidden_layers)
    if settings.init == "random":
        return []
    if family_of(teacher_config) is None:
        if given:
            raise TrainError(
                "T046", f"no layer can start from those of a teacher of type {teacher_config.model_type}",
                "student.init_layers", "leave it out",
            )  # fmt: skip
        return []
    if settings.layers > depth:
        raise TrainError(
            "T045",
            f"the student has {settings.layers} layers, the teacher only {depth} to initialise them from",
            "student.layers",
            f'use at most {depth} layers (student.layers = {depth}), or student.init = "random"',
        )
    if not given:
        return spread_layers(settings.layers, depth)
    if len(given) != settings.layers or not all(0 <= index < depth for index in given):
        raise TrainError(
            "T046",
            f"init_layers {list(given)} does not name {settings.layers} of the teacher's layers 0 to {depth - 1}",
            "student.init_layers",
            f"give {settings.layers} numbers, e.g. {spread_layers(settings.layers, depth)}, or leave it out",
        )
    return list(given)
