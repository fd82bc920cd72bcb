"""Initialisation by copying: embeddings, chosen layers and the head of a teacher of the same width.

As DistilBERT does (Sanh et al., 2019: every other layer of the teacher).
"""

from __future__ import annotations

import torch

from potstill.distil.students.head import fit_head
from potstill.distil.students.job import Job
from potstill.distil.students.teacher_view import Encoder, encoder_of
from potstill.errors import TrainError

# Widths of a layer: our key, and that of the configuration.
_WIDTHS = {"hidden": "hidden_size", "heads": "num_attention_heads", "intermediate": "intermediate_size"}


def initialise(job: Job) -> None:
    """Copy weights bit for bit; a head that reads another pooling is fitted to the teacher's logits instead.

    Raises:
        TrainError: teacher not of the BERT kind; hidden, heads or intermediate differ.
    """
    teacher, student = check(job)
    ours = student.module.config
    with torch.no_grad():
        tables = teacher.module.embeddings.state_dict()
        if job.kept is not None:
            tables["word_embeddings.weight"] = tables["word_embeddings.weight"][torch.from_numpy(job.kept).long()]
        # The student of a teacher for long contexts has fewer positions.
        tables["position_embeddings.weight"] = tables["position_embeddings.weight"][: ours.max_position_embeddings]
        student.module.embeddings.load_state_dict(tables)
        for own, index in zip(student.module.encoder.layer, job.layers, strict=True):
            own.load_state_dict(teacher.module.encoder.layer[index].state_dict())
        same_pooling = getattr(job.teacher.config, "pooling", None) == job.student.config.pooling
        if same_pooling and job.student.classifier is not None:
            job.student.classifier.load_state_dict(job.teacher.classifier.state_dict())
    if not same_pooling:
        fit_head(job)


def check(job: Job) -> tuple[Encoder, Encoder]:
    """The encoders of teacher and student, of one kind and of the same widths (errors as `initialise`)."""
    teacher, student = encoder_of(job.teacher, "copy"), encoder_of(job.student, "copy")
    theirs, ours = teacher.module.config, student.module.config
    wanted = {name: int(getattr(theirs, key)) for name, key in _WIDTHS.items()}
    found = {name: int(getattr(ours, key)) for name, key in _WIDTHS.items()}
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
