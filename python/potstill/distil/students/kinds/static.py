"""The static student: the mean of one vector a token, then a linear head or a small network. No attention, no layers.

A text costs one row of the table a token, whatever the teacher; word order is lost. The table starts from the teacher:
each token is run through it alone, between the special tokens, and its pooled vector taken; the vectors are centred,
reduced to their main axes, and made shorter the more frequent the token is, by ``a / (a + p)`` as in smooth inverse
frequency weighting (Arora et al., 2017), so that the mean of a text is not that of its function words. Frequencies are
those of the sample text. Special tokens stand in every text and start at 0. The head is fitted to the teacher's logits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from potstill.distil.students.basis import principal_axes
from potstill.distil.students.head import fit_head
from potstill.distil.students.job import Job
from potstill.distil.students.weights import put
from potstill.distil.vocabulary.choice import aligned
from potstill.errors import TrainError
from potstill.models.backbones import StaticConfig
from potstill.models.classifier import EncoderClassifier, EncoderClassifierConfig, label_tables
from potstill.models.evaluation import outputs
from potstill.models.positions import encoder_module
from potstill.runtime.rows import TokenRows

if TYPE_CHECKING:
    from potstill.recipe.schema import Student

# The initialisations that mean something here; "pca" is the one told above.
INITS = ("pca", "random")
# The a of Arora et al., who find 1e-4 to 1e-3 best.
SMOOTHING = 1e-3


def build(settings: Student, teacher_config: Any, labels: list[str]) -> EncoderClassifier:
    """A static classifier with the recipe's width and the teacher's vocabulary.

    Args:
        settings: ``hidden, pooling, head_hidden``.
        teacher_config: `inherited.inherited_config` of the teacher's encoder.
        labels: label names.

    Raises:
        TrainError: hidden below 1 or head_hidden below 0; a pooling other than the mean.
    """
    head = settings.head_hidden
    if settings.hidden < 1 or head < 0:
        name = "hidden" if settings.hidden < 1 else "head_hidden"
        raise TrainError("T041", f"{name} is {getattr(settings, name)}", f"student.{name}", "use 1 or more")
    if settings.pooling != "mean":
        raise TrainError(
            "T064",
            f"pooling {settings.pooling!r} of a static student is the same vector for every text",
            "student.pooling",
            "use mean",
        )
    config = EncoderClassifierConfig(
        backbone=StaticConfig(
            vocab_size=teacher_config.vocab_size,
            hidden_size=settings.hidden,
            max_position_embeddings=getattr(teacher_config, "max_position_embeddings", 512),
            pad_token_id=getattr(teacher_config, "pad_token_id", 0) or 0,
        ),
        head_hidden=head,
        **label_tables(labels),
    )
    return EncoderClassifier(config)


def initialise(job: Job) -> None:
    """Set the table and the head; ``job.projection`` becomes the axes of the teacher's pooled vectors.

    Raises:
        TrainError: no sample text; the student is wider than the teacher's pooled vector.
    """
    rows, pad_id = job.rows.ids, job.rows.pad_id
    if not len(rows):
        raise TrainError("T048", "init pca needs training text", "data.train", "give a training set with rows")
    table = job.student.backbone.embeddings.word_embeddings
    first, last = _shared(rows, 0), _shared(rows, -1)
    alone = [np.array([*first, token, *last], dtype=np.int32) for token in range(table.num_embeddings)]
    vectors = outputs(job.teacher, aligned(TokenRows(alone, pad_id=pad_id), job.kept)).pooled.astype(np.float64)
    _check_width(vectors.shape[1], table.embedding_dim)
    special = sorted({*first, *last, pad_id})
    counts = np.zeros(len(vectors))
    for row in rows:
        np.add.at(counts, row, 1.0)
    counts[special] = 0.0
    # Add-one: of a token that the sample lacks nothing is known, but it does occur.
    share = (counts + 1.0) / (counts + 1.0).sum()
    centred = vectors - share @ vectors
    axes = principal_axes((centred * share[:, None]).T @ centred, table.embedding_dim)
    vectors = centred @ axes * (SMOOTHING / (SMOOTHING + share))[:, None]
    vectors[special] = 0.0
    # Mean squared length 1 over the text: the optimizer's steps have a size.
    vectors /= max(float(np.sqrt(share @ (vectors**2).mean(axis=1))), 1e-12)
    put(table.weight, vectors)
    job.projection = axes
    fit_head(job)


def _shared(rows: Sequence[Any], place: int) -> list[int]:
    """The token that all rows have at this place, a special one; none where a tokenizer adds nothing there."""
    found = {int(row[place]) for row in rows}
    return list(found) if len(found) == 1 else []


def check(job: Job) -> None:
    """The teacher's vectors are wide enough (errors as `initialise`)."""
    _check_width(int(encoder_module(job.teacher).config.hidden_size), job.student.config.hidden_size)


def _check_width(theirs: int, ours: int) -> None:
    if theirs < ours:
        raise TrainError(
            "T065",
            f"a static student of width {ours} cannot start from pooled vectors of {theirs}",
            "student.hidden",
            f'set student.hidden = {theirs} or less, or student.init = "random"',
        )
