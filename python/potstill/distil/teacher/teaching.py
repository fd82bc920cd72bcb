"""The teacher's side of a training run: which of its outputs the recipe's losses read, and where they come from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from potstill.distil.losses import POOLED_LOSSES, TOKEN_LOSSES
from potstill.distil.losses.tokens import STATE_COLUMN, check_lengths, token_plan
from potstill.distil.teacher.cache import TeacherOutputs, states_bytes, teacher_outputs
from potstill.keys.closure import sources
from potstill.models.heads import task_of
from potstill.models.token_states import token_view
from potstill.models.tokens import TokenDataset
from potstill.models.words import AtFirstPieces
from potstill.work.contents import content_hash
from potstill.work.processes import current
from potstill.work.progress import Progress


def compares_tokens(settings: Any) -> bool:
    """Whether a recipe's ``distil`` section gives a loss of tokens a weight."""
    return any(getattr(settings, name, 0.0) > 0 for name in TOKEN_LOSSES)


def token_settings(settings: Any) -> dict[str, Any]:
    """Keywords for `DistillationTrainer` from a recipe's ``distil`` section."""
    names = (*TOKEN_LOSSES, "teacher_layers", "relation_layer", "relation_heads")
    return {name: getattr(settings, name) for name in names if hasattr(settings, name)}


def teach(
    rows: TokenDataset,
    student: nn.Module,
    teacher: nn.Module,
    weights: str,
    recipe: Any,
    *,
    ids: Sequence[np.ndarray],
    types: Sequence[np.ndarray] | None = None,
    words: Sequence[np.ndarray] | None = None,
    pad_id: int,
    cache: Path,
    progress: Progress,
) -> TeacherOutputs:
    """Compute, or take from the cache, what the losses need of the teacher, and add it to the rows as columns.

    States of tokens above ``distil.cache_limit`` bytes are left to the training step, which then runs the teacher.

    Args:
        rows: training rows; columns are added.
        student: the student, for its number of layers and width.
        teacher: the teacher.
        weights: `weights_hash` of the teacher.
        recipe: needs ``task``, ``distil`` and ``data.max_tokens``.
        ids: the rows in the teacher's token ids; of the rows' own lengths where a loss of tokens is asked for.
        types: their token types, None for single texts.
        words: where their words begin, for a teacher that labels words (`potstill.models.words`).
        pad_id: the teacher's padding id.
        cache: see `teacher_outputs`.
        progress: told the size of the states, and the rows done.

    Raises:
        TrainError: the losses of tokens do not fit the models; or their rows.
    """
    settings = recipe.distil
    places: list[int] = []
    if compares_tokens(settings):
        check_lengths(rows.ids, ids)
        view = token_view(teacher, "teacher")
        places = token_plan(settings, token_view(student, "student"), view).places(1)
        size, limit = states_bytes(ids, view.width, places), settings.cache_limit
        what = f"{sum(len(row) for row in ids):,} tokens x {view.width} x {len(places)} places = {_megabytes(size)}"
        if size > limit:
            progress.message(
                f"  teacher states: {what}, over distil.cache_limit ({_megabytes(limit)}): "
                "the teacher runs in every training step"
            )
            places = []
        else:
            progress.message(f"  teacher states: {what} on the disk")
    taught = teacher_outputs(
        teacher,
        f"{weights} {_makers(cache)}",
        ids,
        max_tokens=recipe.data.max_tokens,
        cache=cache,
        pad_id=pad_id,
        precision=settings.precision,
        progress=progress,
        rank=current().rank,
        ranks=current().count,
        places=places,
        types=types,
        words=words,
    )
    if rows.words is not None:
        rows.extra["teacher_logits"] = AtFirstPieces(taught.logits, rows.words, rows.lengths)
    elif taught.logits.shape[1]:
        rows.extra["teacher_logits"] = taught.logits
    losses = task_of(recipe).loss_weights(settings)
    if any(losses.get(name, 0.0) > 0 for name in POOLED_LOSSES):
        rows.extra["teacher_pooled"] = taught.pooled
    for place, column in taught.states.items():
        rows.extra[f"{STATE_COLUMN}{place}"] = column
    return taught


def _makers(cache: Path) -> str:
    """The code and the libraries that a teacher's outputs are made by: those of another make are made anew."""
    made_by = sources(cache).closure(teacher_outputs)
    return content_hash({"code": made_by.code, "libraries": made_by.libraries})


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
