"""The factorized student: BERT over a token table V x E and a linear map E x H (Lan et al., 2020, ALBERT).

It is initialised as the BERT of the same sizes, by any initialisation, whose tables are then replaced by their
truncated singular value decomposition. Rows count by how often the sample text has them: the plain decomposition spends
its directions on the many rows that hardly occur.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from potstill.distil.students.basis import gain_and_bias, principal_axes
from potstill.distil.students.head import fit_head
from potstill.distil.students.job import Job
from potstill.distil.students.kinds import bert
from potstill.distil.students.projection import sample_rows
from potstill.distil.students.teacher_view import Taps
from potstill.distil.students.weights import numbers, put
from potstill.errors import TrainError
from potstill.models.backbones import FactorizedBertConfig
from potstill.models.classifier import EncoderClassifier, EncoderClassifierConfig
from potstill.recipe.presets import FACTORIZED_SIZE

if TYPE_CHECKING:
    from potstill.recipe.schema import Student

# What a row that the sample lacks counts for, against one occurrence: the test set has words the sample lacks.
_UNSEEN = 0.1


def build(settings: Student, teacher_config: Any, labels: list[str]) -> EncoderClassifier:
    """The dense BERT that the initialisations know; `finish` makes the factorized one of it.

    Raises:
        TrainError: as `bert.build`; embedding_size is not between 1 and the hidden size.
    """
    _size(settings)
    return bert.build(settings, teacher_config, labels)


def finish(job: Job) -> None:
    """Replace ``job.student`` by its factorized twin; with ``embedding_size = hidden`` it computes the same."""
    dense, size = job.student, _size(job.settings)
    values = dense.config.backbone_config().to_dict()
    del values["model_type"]
    narrow = EncoderClassifier(
        EncoderClassifierConfig(
            backbone=FactorizedBertConfig(embedding_size=size, **values),
            pooling=dense.config.pooling,
            id2label=dense.config.id2label,
            label2id=dense.config.label2id,
        )
    )
    job.student = narrow.eval()
    if job.settings.init == "random":
        return
    own, source = narrow.backbone.embeddings, dense.backbone.embeddings
    wanted = narrow.state_dict()
    shared = {name: value for name, value in dense.state_dict().items() if name in wanted}
    narrow.load_state_dict({**wanted, **{n: v for n, v in shared.items() if v.shape == wanted[n].shape}})
    _factor(own, source, job)
    if size < dense.config.hidden_size:
        _fit_norm(dense, narrow, job)
        fit_head(job)


def _size(settings: Student) -> int:
    given = settings.embedding_size
    size = min(FACTORIZED_SIZE, settings.hidden) if given is None else int(given)
    if not 1 <= size <= settings.hidden:
        raise TrainError(
            "T063",
            f"embedding_size {size} is not between 1 and the hidden size {settings.hidden}",
            "student.embedding_size",
            f"use {settings.hidden // 2} or less; at {settings.hidden} nothing is saved",
        )
    return size


def _factor(own: nn.Module, source: nn.Module, job: Job) -> None:
    """``word + position`` of the dense tables as ``projection(narrow word + narrow position)``, least squares."""
    words = numbers(source.word_embeddings.weight)
    positions = numbers(source.position_embeddings.weight) + numbers(source.token_type_embeddings.weight)[0]
    word_counts = np.full(len(words), _UNSEEN)
    position_counts = np.full(len(positions), _UNSEEN)
    for row in job.rows.ids:
        np.add.at(word_counts, row, 1.0)
        position_counts[: len(row)] += 1.0
    moment, means = np.zeros((words.shape[1], words.shape[1])), []
    for table, counts in ((words, word_counts), (positions, position_counts)):
        share = counts / counts.sum()
        mean = share @ table
        centred = table - mean
        moment += (centred * share[:, None]).T @ centred
        means.append(mean)
    size = own.word_embeddings.embedding_dim
    axes = principal_axes(moment, size).astype(np.float64)
    put(own.word_embeddings.weight, (words - means[0]) @ axes)
    put(own.position_embeddings.weight, (positions - means[1]) @ axes)
    put(own.projection.weight, axes)
    put(own.projection.bias, means[0] + means[1])


def _fit_norm(dense: EncoderClassifier, narrow: EncoderClassifier, job: Job) -> None:
    """The embeddings' layer norm fitted to what the dense one gives on the sample."""
    rows = sample_rows(job.rows, "factorized")
    norms = [model.backbone.embeddings.LayerNorm for model in (dense, narrow)]
    wanted = Taps(dense.backbone, rows).collect({}, {"out": norms[0]})["out"]
    read = Taps(narrow.backbone, rows).collect({"in": norms[1]}, {})["in"].astype(np.float64)
    normed = (read - read.mean(1, keepdims=True)) / np.sqrt(read.var(1, keepdims=True) + norms[1].eps)
    gain, bias = gain_and_bias(normed, wanted)
    put(norms[1].weight, gain)
    put(norms[1].bias, bias)
