"""What usually went wrong: sentences with the figures that show it and what to try, for the build's warnings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from potstill.recipe.schema import Distil, Teacher

# Points (as shares) from which a difference deserves a word; the demo's test set of 1,057 rows has an error of 0.01.
FAR_BEHIND = 0.03
OVERFITTED = 0.15
# A student that misses so much of what its teacher gets right on rows it was trained on could not learn it.
UNDERFITTED = 0.05
# A student much better on its training rows than on new ones, beyond what its teacher shows.
STUDENT_GAP = 0.08
LOW_AGREEMENT = 0.85
# A loss at the end of training above this multiple of its best has risen, not wavered.
RISEN = 1.25


@dataclass(frozen=True)
class StudentFigures:
    """Shares (0-1) of rows right, and the course of training.

    Attributes:
        train: the student on labelled training rows (a sample).
        validation: the student on the validation rows.
        test: the student on the test rows.
        teacher_train: the teacher on the same training rows.
        teacher_test: the teacher on the test rows.
        agreement: test rows to which student and teacher give the same label.
        agreement_where_right: the same, of the rows that the teacher has right.
        losses: training loss at the end of each epoch; NaN and infinity as they came.
        test_rows: number of test rows; None: enough.
    """

    train: float | None
    validation: float
    test: float
    teacher_train: float | None
    teacher_test: float
    agreement: float
    agreement_where_right: float
    losses: Sequence[float] = field(default_factory=list)
    test_rows: int | None = None

    @property
    def chance(self) -> float:
        """By how much (0-1) two models as good as each other differ on these test rows, in 95 of 100 cases at most.

        Only rows with different answers can tell them apart: the standard error of paired shares (McNemar, 1947).
        """
        return 1.96 * math.sqrt((1 - self.agreement) / self.test_rows) if self.test_rows else 0.0


def diagnose_settings(settings: Distil) -> list[str]:
    """Sentences on a recipe's ``distil`` section."""
    notes = []
    if not 1 <= settings.temperature <= 4:
        notes.append(f"temperature {settings.temperature:g} is outside the usual 1 to 4: try distil.temperature = 2")
    if settings.alpha > 0.7:
        notes.append(
            f"alpha {settings.alpha:g} gives the teacher little weight: 0 to 0.7 is usual, at 0 it decides alone"
        )
    return notes


def diagnose_student(found: StudentFigures, settings: Distil) -> list[str]:
    """Sentences on the settings and the results of a distillation.

    Args:
        found: what was measured.
        settings: ``temperature, alpha, learning_rate, epochs, augment``.
    """
    notes = diagnose_settings(settings)
    diverged = diagnose_losses(found.losses, settings.learning_rate, "distil.learning_rate")
    notes += diverged
    behind = found.teacher_test - found.test
    if behind > max(FAR_BEHIND, found.chance):
        notes.append(f"the student is {_points(behind)} under the teacher on the test rows: {_remedy(found, settings)}")
    gap = None if found.train is None else found.train - found.validation
    teacher_gap = 0.0 if found.teacher_train is None else max(0.0, found.teacher_train - found.teacher_test)
    if gap is not None and gap - teacher_gap > STUDENT_GAP:
        notes.append(
            f"the student looks overfitted: {_share(found.train)} on training rows, {_share(found.validation)} on "
            "validation rows; add unlabelled text (data.unlabelled), distil.augment = 2, or fewer distil.epochs"
        )
    if found.agreement_where_right < LOW_AGREEMENT and not diverged:
        notes.append(
            f"the student gives the teacher's label on {_share(found.agreement)} of the test rows, and on "
            f"{_share(found.agreement_where_right)} of those the teacher has right: it follows the teacher badly; "
            "lower distil.alpha, or distil.pooled_cosine = 1"
        )
    if found.teacher_train is not None and found.teacher_train - found.teacher_test > OVERFITTED:
        notes.append(
            f"the teacher looks overfitted: {_points(found.teacher_train - found.teacher_test)} better on training "
            "than on test rows, so its outputs on the training text say little; use fewer epochs or add unlabelled text"
        )
    return notes


def _remedy(found: StudentFigures, settings: Distil) -> str:
    """What to try against a student far behind, by whether it could learn its training rows."""
    if found.train is None or found.teacher_train is None:
        return "train longer, add unlabelled text, or use a larger student"
    missed = found.teacher_train - found.train
    if missed > UNDERFITTED:
        return (
            f"it is {_points(missed)} under it on its training rows too, so it is too small or trained too short; "
            f"more student.layers or student.hidden, or distil.epochs above {settings.epochs}"
        )
    return (
        f"on its training rows it is not ({_share(found.train)}, the teacher {_share(found.teacher_train)}), so it "
        "lacks text, not size; add unlabelled text (data.unlabelled) or distil.augment"
    )


def diagnose_teacher(
    metrics: Mapping[str, Any], validation_labels: np.ndarray, settings: Teacher | None = None
) -> list[str]:
    """Sentences on an overfitted teacher, one no better than guessing the commonest label, or a diverged one.

    Args:
        metrics: ``train_accuracy``, ``validation_accuracy``, and ``epochs`` with their ``loss`` where it was trained.
        validation_labels: ``[rows]`` class ids, or ``[rows, labels]`` of 0 and 1.
        settings: the recipe's ``teacher`` section, for its learning rate.
    """
    notes = diagnose_losses(
        [entry["loss"] for entry in metrics.get("epochs", ()) if entry.get("loss") is not None],
        None if settings is None else settings.learning_rate,
        "teacher.learning_rate",
    )
    gap = metrics["train_accuracy"] - metrics["validation_accuracy"]
    if gap > OVERFITTED:
        notes.append(
            f"the teacher looks overfitted: {_points(gap)} better on training than on validation rows; "
            "use fewer epochs, a smaller learning rate or more data"
        )
    # Where labels do not exclude each other there is no commonest answer to guess.
    if len(validation_labels) and validation_labels.ndim == 1:
        commonest = np.bincount(validation_labels).max() / len(validation_labels)
        if metrics["validation_accuracy"] <= commonest + 0.01:
            notes.append(
                f"the teacher is no better than always giving the commonest label ({_share(commonest)} of the "
                "validation rows): check the labels, the learning rate and the number of epochs"
            )
    return notes


def diagnose_losses(losses: Sequence[float], learning_rate: float | None, key: str) -> list[str]:
    """A sentence on a loss that is no number or has risen; none for a loss that fell or wavered.

    Args:
        losses: of each epoch in order.
        learning_rate: the one used, to name a smaller one.
        key: recipe key of the learning rate.
    """
    smaller = f"try {key} = {learning_rate / 3:.1g}" if learning_rate else f"use a smaller {key}"
    for epoch, loss in enumerate(losses, 1):
        if not math.isfinite(loss):
            return [f"training diverged: the loss is {loss} in epoch {epoch}; {smaller}"]
    if len(losses) > 1 and losses[-1] > RISEN * min(losses) and losses[-1] - min(losses) > 0.05:
        best = min(range(len(losses)), key=lambda epoch: losses[epoch])
        return [
            f"training diverges: the loss rose from {losses[best]:.3f} in epoch {best + 1} to {losses[-1]:.3f} in "
            f"epoch {len(losses)}; {smaller}"
        ]
    return []


def _points(share: float) -> str:
    return f"{100 * share:.1f} points"


def _share(share: float | None) -> str:
    return "?" if share is None else f"{100 * share:.1f} %"
