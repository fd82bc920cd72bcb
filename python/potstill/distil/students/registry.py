"""Student architectures and initialisations by name. To add one: a module here, and a line in a table."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import nn

from potstill.distil.students.inherited import inherited_config
from potstill.distil.vocabulary.choice import aligned_ids
from potstill.errors import TrainError
from potstill.models.classifier import EncoderClassifier, labels_words
from potstill.models.positions import encoder_module

# Modules with build(settings, teacher_config, labels) -> EncoderClassifier. One may have INITS, its own table of
# initialisations, and finish(job, settings) -> None, which is called after the initialisation.
ARCHITECTURES = {
    "bert": "potstill.distil.students.bert",
    "factorized": "potstill.distil.students.factorized",
    "static": "potstill.distil.students.static",
}
# Modules with initialise(job) -> None. One may have check(job) -> None, which raises what it needs no weights to know.
INITS = {
    "pca": "potstill.distil.students.pca",
    "copy": "potstill.distil.students.copy",
    "prune": "potstill.distil.students.prune",
    "random": "potstill.distil.students.random",
}


@dataclass
class Job:
    """What an initialisation gets, and what it tells.

    Attributes:
        student: the student, weights to be set in place.
        teacher: the teacher's classifier in eval mode.
        layers: the teacher's layer for each student layer.
        ids: sample rows of token ids (training text), the student's ids.
        pad_id: the student's id of the padding token.
        kept: the teacher's id of each of the student's (`potstill.distil.vocabulary.choice`); None: the same.
        projection: ``[teacher hidden, student hidden]`` f32: set by an initialisation that chose axes.
        types: token types of the sample rows, None for single texts.
    """

    student: EncoderClassifier
    teacher: nn.Module
    layers: list[int]
    ids: Sequence[np.ndarray]
    pad_id: int = 0
    projection: np.ndarray | None = field(default=None)
    kept: np.ndarray | None = field(default=None)
    types: Sequence[np.ndarray] | None = None

    @property
    def teacher_ids(self) -> list[np.ndarray]:
        """The sample rows in the teacher's ids, token by token the same pieces (so `types` are the teacher's too)."""
        return aligned_ids(self.ids, self.kept)

    @property
    def teacher_pad_id(self) -> int:
        """The teacher's id of the padding token."""
        return self.pad_id if self.kept is None else int(self.kept[self.pad_id])


def spread_layers(count: int, of: int) -> list[int]:
    """``count`` layers of a teacher's ``of``, evenly spread from the first: 3 of 6 gives 0, 2, 4."""
    return [index * of // count for index in range(count)]


def make_student(
    settings: Any,
    teacher: nn.Module,
    labels: list[str],
    ids: Sequence[np.ndarray],
    *,
    pad_id: int = 0,
    seed: int = 42,
    kept: np.ndarray | None = None,
    types: Sequence[np.ndarray] | None = None,
    longest: int | None = None,
) -> Job:
    """Build and initialise the student of a recipe.

    Args:
        settings: ``architecture, layers, hidden, heads, intermediate, init, init_layers, pooling``, and where the
            architecture has them ``embedding_size, head_hidden``.
        teacher: classifier in eval mode.
        labels: label names.
        ids: sample rows of training text as the student reads it, for initialisations that look at data; a few
            hundred suffice.
        pad_id: the student's id of the padding token.
        seed: seed of what stays random.
        kept: the teacher's id of each of the student's, for a pruned vocabulary.
        types: token types of the sample rows, None for single texts.
        longest: tokens of the longest text that the student is made for; None keeps the teacher's positions.

    Returns:
        The job with its finished student.

    Raises:
        TrainError: for sizes that do not go together; pairs, and a teacher with one
            token type.
    """
    job, architecture, init = _prepared(
        settings, teacher, labels, ids, pad_id=pad_id, seed=seed, kept=kept, types=types, longest=longest
    )
    job.student.eval()
    init.initialise(job)
    if hasattr(architecture, "finish"):
        architecture.finish(job, settings)
    # Last: an architecture may have replaced the student.
    if getattr(teacher.config, "problem_type", None) == "multi_label_classification":
        job.student.config.problem_type = teacher.config.problem_type
    if not labels and getattr(teacher.config, "normalized", False):
        job.student.config.normalized = True
    job.student.train()
    return job


def check_student(
    settings: Any, teacher: nn.Module, labels: list[str], *, pairs: bool = False, longest: int | None = None
) -> EncoderClassifier:
    """Raise what `make_student` would raise, for whatever text: sizes, layers, the teacher's kind.

    Args:
        settings, labels, longest: as `make_student`.
        teacher: its classifier; weights on torch's device ``meta`` will do.
        pairs: the data has pairs of texts.

    Returns:
        The student's shape, its weights on the device ``meta``.
    """
    types: list[np.ndarray] | None = [] if pairs else None
    with torch.device("meta"):
        job, _, init = _prepared(settings, teacher, labels, [], types=types, longest=longest)
    if hasattr(init, "check"):
        init.check(job)
    return job.student


def _prepared(
    settings: Any,
    teacher: nn.Module,
    labels: list[str],
    ids: Sequence[np.ndarray],
    *,
    pad_id: int = 0,
    seed: int = 42,
    kept: np.ndarray | None = None,
    types: Sequence[np.ndarray] | None = None,
    longest: int | None = None,
) -> tuple[Job, ModuleType, ModuleType]:
    """The job with the student as its constructor gives it, and the modules of its architecture and initialisation."""
    _check_name(settings.architecture, ARCHITECTURES, "architecture")
    architecture = importlib.import_module(ARCHITECTURES[settings.architecture])
    inits: dict[str, str] = getattr(architecture, "INITS", INITS)
    _check_name(settings.init, inits, "init")
    config = encoder_module(teacher).config
    if types is not None and getattr(config, "type_vocab_size", None) in (0, 1):
        raise TrainError(
            "T071",
            "the teacher does not tell the second text of a pair from the first",
            f"teacher of type {config.model_type}",
            "use a BERT teacher, or leave data.text_pair out",
        )
    inherited = inherited_config(encoder_module(teacher), pad_id, longest, None if kept is None else len(kept))
    torch.manual_seed(seed)
    if labels_words(teacher.config):
        settings = SimpleNamespace(**{**vars(settings), "pooling": "none"})
    student = architecture.build(settings, inherited, labels)
    layers = _chosen_layers(settings, int(config.num_hidden_layers)) if student.config.num_hidden_layers else []
    job = Job(student=student, teacher=teacher, layers=layers, ids=ids, pad_id=pad_id, kept=kept, types=types)
    return job, architecture, importlib.import_module(inits[settings.init])


def _check_name(name: str, table: dict[str, str], key: str) -> None:
    if name not in table:
        raise TrainError("T044", f"unknown {key} {name!r}", f"student.{key}", f"use {' or '.join(table)}")


def _chosen_layers(settings: Any, depth: int) -> list[int]:
    given = getattr(settings, "init_layers", None)
    if settings.init == "random":
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
