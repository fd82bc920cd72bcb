"""Initialisation by copying: embeddings, chosen layers and the head of a teacher of the same width.

As DistilBERT does (Sanh et al., 2019: every other layer of the teacher).
"""

from __future__ import annotations

import torch

from potstill.distil.students.head import fit_head
from potstill.distil.students.job import Job
from potstill.distil.students.shape import Encoder
from potstill.distil.students.teacher_view import encoder_of
from potstill.errors import TrainError

_PARTS = ("query", "key", "value", "attention_out", "attention_norm", "up", "down", "norm")


def initialise(job: Job) -> None:
    """Copy weights bit for bit; a head that reads another pooling is fitted to the teacher's logits instead.

    Raises:
        TrainError: teacher not of the BERT kind; hidden, heads or intermediate differ.
    """
    teacher, student = check(job)
    theirs, ours = teacher.embeddings, student.embeddings
    with torch.no_grad():
        words = theirs.words if job.kept is None else theirs.words[torch.from_numpy(job.kept).long()]
        ours.words.copy_(words)
        # The student of a teacher for long contexts has fewer positions.
        ours.positions.copy_(theirs.positions[: len(ours.positions)])
        ours.types.copy_(theirs.types)
        ours.norm.load_state_dict(theirs.norm.state_dict())
        for own, index in zip(student.layers, job.layers, strict=True):
            for part in _PARTS:
                getattr(own, part).load_state_dict(getattr(teacher.layers[index], part).state_dict())
        same_pooling = getattr(job.teacher.config, "pooling", None) == job.student.config.pooling
        if same_pooling and job.student.classifier is not None:
            job.student.classifier.load_state_dict(job.teacher.classifier.state_dict())
    if not same_pooling:
        fit_head(job)


def check(job: Job) -> tuple[Encoder, Encoder]:
    """The encoders of teacher and student, of one kind and of the same widths (errors as `initialise`)."""
    teacher, student = encoder_of(job.teacher, "copy"), encoder_of(job.student, "copy")
    wanted, found = _widths(teacher), _widths(student)
    if wanted != found:
        name = next(name for name in wanted if wanted[name] != found[name])
        other = "pca" if found["hidden"] <= wanted["hidden"] else "random"
        widths = ", ".join(f"student.{key} = {value}" for key, value in wanted.items())
        raise TrainError(
            "T043",
            f"init copy needs the teacher's {name} {wanted[name]}, the student has {found[name]}",
            f"student.{name}",
            f'set {widths}, or student.init = "{other}"',
        )
    return teacher, student


def _widths(encoder: Encoder) -> dict[str, int]:
    """By the recipe's names."""
    layer = encoder.layers[0]
    return {"hidden": encoder.hidden, "heads": layer.heads, "intermediate": layer.up.out_features}
