"""Student architectures and initialisations by name. To add one: a module here, and a line in a table."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from potstill.distil.modeling import EncoderClassifier
from potstill.errors import TrainError

# Modules with build(settings, teacher_config, labels) -> EncoderClassifier.
ARCHITECTURES = {"bert": "potstill.distil.students.bert"}
# Modules with initialise(job) -> None.
INITS = {
    "pca": "potstill.distil.students.pca",
    "copy": "potstill.distil.students.copy",
    "random": "potstill.distil.students.random",
}


@dataclass
class Job:
    """What an initialisation gets, and what it tells.

    Attributes:
        student: the student, weights to be set in place.
        teacher: the teacher's classifier in eval mode.
        layers: the teacher's layer for each student layer.
        ids: sample rows of token ids (training text).
        pad_id: id of the padding token.
        projection: ``[teacher hidden, student hidden]`` f32: set by an initialisation that chose axes.
        types: token types of the sample rows, None for single texts.
    """

    student: EncoderClassifier
    teacher: nn.Module
    layers: list[int]
    ids: Sequence[np.ndarray]
    pad_id: int = 0
    projection: np.ndarray | None = field(default=None)
    types: Sequence[np.ndarray] | None = None


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
    types: Sequence[np.ndarray] | None = None,
) -> Job:
    """Build and initialise the student of a recipe.

    Args:
        settings: ``architecture, layers, hidden, heads, intermediate, init, init_layers, pooling``.
        teacher: classifier in eval mode.
        labels: label names.
        ids: sample rows of training text, for initialisations that look at data; a few hundred suffice.
        pad_id: id of the padding token.
        seed: seed of what stays random.
        types: token types of the sample rows, None for single texts.

    Returns:
        The job with its finished student.

    Raises:
        TrainError: T010, T040-T046 for sizes that do not go together; T071 pairs, and a teacher with one token type.
    """
    for table, key in ((ARCHITECTURES, "architecture"), (INITS, "init")):
        if getattr(settings, key) not in table:
            raise TrainError(
                "T044", f"unknown {key} {getattr(settings, key)!r}", f"student.{key}", f"use {' or '.join(table)}"
            )
    body = getattr(teacher, "backbone", None)
    teacher_config = body.config if body is not None else teacher.body.base_model.config
    depth = int(teacher_config.num_hidden_layers)
    if types is not None and getattr(teacher_config, "type_vocab_size", None) in (0, 1):
        raise TrainError(
            "T071",
            "the teacher does not tell the second text of a pair from the first",
            f"teacher of type {teacher_config.model_type}",
            "use a BERT teacher, or leave data.text_pair out",
        )
    torch.manual_seed(seed)
    student = importlib.import_module(ARCHITECTURES[settings.architecture]).build(settings, teacher_config, labels)
    if getattr(teacher.config, "problem_type", None) == "multi_label_classification":
        student.config.problem_type = teacher.config.problem_type
    layers = _chosen_layers(settings, depth)
    job = Job(student=student, teacher=teacher, layers=layers, ids=ids, pad_id=pad_id, types=types)
    student.eval()
    importlib.import_module(INITS[settings.init]).initialise(job)
    student.train()
    return job


def _chosen_layers(settings: Any, depth: int) -> list[int]:
    given = getattr(settings, "init_layers", None)
    if settings.init == "random":
        return []
    if settings.layers > depth:
        raise TrainError(
            "T045",
            f"the student has {settings.layers} layers, the teacher only {depth} to initialise them from",
            "student.layers",
            f"use at most {depth} layers, or init = 'random'",
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
