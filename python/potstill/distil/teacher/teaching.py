"""The teacher's side of a training run: which of its outputs the recipe's losses read, and where they come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from potstill.distil.losses import POOLED_LOSSES, TOKEN_LOSSES
from potstill.distil.teacher.cache import Keeping, TeacherOutputs, states_bytes, teacher_outputs, weights_hash
from potstill.distil.train.fit import Run
from potstill.distil.train.loss_settings import LossSettings
from potstill.distil.train.token_losses import ALIGNMENT_COLUMN, STATE_COLUMN, check_lengths, token_plan
from potstill.keys.closure import sources
from potstill.models.classifier import load_classifier
from potstill.models.rows import TokenDataset
from potstill.models.token_states import token_view
from potstill.models.tokens import load_tokenizer
from potstill.models.words import AtFirstPieces
from potstill.runtime.rows import TokenRows
from potstill.work.contents import content_hash
from potstill.work.processes import current

if TYPE_CHECKING:
    from potstill.recipe.schema import Distil


@dataclass(frozen=True)
class Teacher:
    """A teacher that is ready: its classifier in eval mode, its tokenizer, and the hash of its weights."""

    model: nn.Module
    tokenizer: Any
    weights: str

    @staticmethod
    def load(folder: Path) -> Teacher:
        """The teacher in a folder.

        Raises:
            TrainError: as `load_classifier` and `load_tokenizer`; the folder holds no weights.
        """
        weights, tokenizer = weights_hash(folder), load_tokenizer(folder)
        return Teacher(load_classifier(folder), tokenizer, weights)


def compares_tokens(settings: Distil) -> bool:
    """Whether a recipe's ``distil`` section gives a loss of tokens a weight."""
    return any(getattr(settings, name) > 0 for name in TOKEN_LOSSES)


def teach(run: Run, teacher: Teacher, student: nn.Module, rows: TokenDataset, shown: TokenRows) -> TeacherOutputs:
    """Compute, or take from the cache, what the losses need of the teacher, and add it to the rows as columns.

    States of tokens above ``distil.cache_limit`` bytes are left to the training step, which then runs the teacher.

    Args:
        run: the recipe, where outputs are kept, and who hears of the size of the states and of the rows done.
        teacher: the teacher.
        student: the student, for its number of layers and width.
        rows: training rows; columns are added.
        shown: the rows in the teacher's token ids; where a loss of tokens is asked for, of the rows' own lengths or
            with a column that aligns them.

    Raises:
        TrainError: the losses of tokens do not fit the models; or their rows.
    """
    settings, keeping = run.recipe.distil, Keeping(run.cache, current().rank, current().count)
    losses = LossSettings.of(settings, run.task.loss_weights(settings))
    taught = teacher_outputs(
        teacher.model, f"{teacher.weights} {_makers(run.cache)}", shown, keeping, precision=settings.precision,
        places=_kept_places(run, teacher, student, rows, shown) if losses.by_token else (), progress=run.progress,
    )  # fmt: skip
    if rows.rows.words is not None:
        rows.extra["teacher_logits"] = AtFirstPieces(taught.logits, rows.rows.words, rows.lengths)
    elif taught.logits.shape[1]:
        rows.extra["teacher_logits"] = taught.logits
    if losses.wants(*POOLED_LOSSES):
        rows.extra["teacher_pooled"] = taught.pooled
    for place, column in taught.states.items():
        rows.extra[f"{STATE_COLUMN}{place}"] = column
    return taught


def _kept_places(run: Run, teacher: Teacher, student: nn.Module, rows: TokenDataset, shown: TokenRows) -> Sequence[int]:
    """Places of the teacher's states that are kept on the disk; none where they would take too much."""
    if ALIGNMENT_COLUMN not in rows.extra:
        check_lengths(rows.rows.ids, shown.ids)
    settings, view = run.recipe.distil, token_view(teacher.model, "teacher")
    places = token_plan(LossSettings.of(settings, {}), token_view(student, "student"), view).places(1)
    size, limit = states_bytes(shown, view.width, places), settings.cache_limit
    what = f"{sum(shown.lengths):,} tokens x {view.width} x {len(places)} places = {_megabytes(size)}"
    if size <= limit:
        run.progress.message(f"  teacher states: {what} on the disk")
        return places
    run.progress.message(
        f"  teacher states: {what}, over distil.cache_limit ({_megabytes(limit)}): "
        "the teacher runs in every training step"
    )
    return ()


def _makers(cache: Path) -> str:
    """A hash of the code and libraries that compute a teacher's outputs: others compute them again."""
    made_by = sources(cache).closure(teacher_outputs)
    return content_hash({"code": made_by.code, "libraries": made_by.libraries})


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
