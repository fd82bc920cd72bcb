"""Which output of a teacher's own head is which of our labels: by name, and by what it answers to training rows.

Names lie (an `id2label` in another order than the head was trained in), and many models have none but `LABEL_0`. So the
teacher is asked: of each label's rows, which output wins. An order is believed when the answers it gives are clearly
better than guessing, and each label has rows that speak for its output.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from potstill.errors import TrainError
from potstill.models.classifier import has_head, labels_words, load_classifier
from potstill.models.evaluation import Outputs, outputs
from potstill.models.heads import Task, Truth
from potstill.models.rows import TokenDataset
from potstill.work.progress import Progress

if TYPE_CHECKING:
    from potstill.recipe.schema import Recipe

# Rows that decide: enough to tell 3 points from chance.
ROWS = 1000
# A row too few may be chance: so many must speak for an output.
_SUPPORT = 3
_NAMELESS = re.compile(r"LABEL_\d+")


def label_order(config: Any, labels: Sequence[str]) -> list[int] | None:
    """For each of our labels, the output of the model that gives it; None when the model does not know them.

    Names are compared without case. Nameless outputs (``LABEL_0`` ...) are taken in their order.
    """
    names = {int(index): str(name) for index, name in (config.id2label or {}).items()}
    if not has_head(config) or len(names) != len(labels):
        return None
    if all(_NAMELESS.fullmatch(name) for name in names.values()):
        return list(range(len(labels)))
    by_name = {name.strip().lower(): index for index, name in names.items()}
    order = [by_name.get(label.strip().lower()) for label in labels]
    return None if any(index is None for index in order) else [int(index or 0) for index in order]


def is_nameless(config: Any) -> bool:
    """Whether a configuration leaves its outputs without names."""
    return all(_NAMELESS.fullmatch(str(name)) for name in (config.id2label or {}).values())


def answers(config: Any, task: Task) -> bool:
    """Whether a configuration has a head that answers this task, whatever its labels."""
    # A head trained for one label a text says nothing of each by itself.
    problem = task.problem is None or config.problem_type == task.problem
    return has_head(config) and problem and task.words == labels_words(config)


def head_order(config: Any, labels: Sequence[str], task: Task) -> list[int] | None:
    """`label_order` of a head that answers this task; None for any other."""
    return label_order(config, labels) if answers(config, task) else None


def no_head(recipe: Recipe, labels: Sequence[str], measured: str = "") -> TrainError:
    """T013: the teacher has no head for these labels and may not be fine-tuned."""
    told = f" {', '.join(labels)}" if labels else " of this task"
    what = f"the model has no head for the labels{told} and teacher.finetune is never"
    return TrainError(
        "T013",
        f"{measured}, and teacher.finetune is never" if measured else what,
        str(recipe.teacher.model),
        "set teacher.finetune to auto, or give a model fine-tuned on these labels",
    )


@dataclass(frozen=True)
class Measured:
    """What the teacher's own head answers to training rows.

    Attributes:
        order: for each label its output, by which the answers are best.
        found: share of answers right in that order.
        named: the same by the names' order.
        guess: share right of the best constant answer.
        count: answers counted.
        supported: each label's output is spoken for by rows.
    """

    order: list[int]
    found: float
    named: float
    guess: float
    count: int
    supported: bool

    @property
    def names_hold(self) -> bool:
        """The names' order is better than guessing by more than chance, and no other is better still."""
        error = (max(self.guess * (1 - self.guess), 1e-4) / max(1, self.count)) ** 0.5
        return self.named > self.guess + 3 * error and self.found - self.named <= 3 * error

    @property
    def order_holds(self) -> bool:
        """The best order is at least halfway from guessing to right."""
        return self.supported and self.found >= (1 + self.guess) / 2

    def shown(self, metric: str) -> str:
        """The figures, in a clause."""
        rows = f"{self.count:,} training rows"
        return f"{100 * self.named:.1f} % {metric} on {rows}, a guess has {100 * self.guess:.1f} %"


def measure(logits: np.ndarray, truth: Any, named: Sequence[int], task: Task) -> Measured:
    """Compare a head's answers with the true labels.

    Args:
        logits: ``[rows, outputs]`` f32 in the head's own order; of words ``[words, outputs]``.
        truth: as `Task.label_array` gives it.
        named: the order by names.
        task: of labels that exclude each other, or not (`potstill.models.heads`).
    """
    empty = np.zeros((len(logits), 0), np.float32)

    def share(order: Sequence[int]) -> float:
        return task.score(Outputs(logits[:, list(order)], empty), Truth(truth))

    counts = _evidence(logits, truth, task)
    order = _best(counts, named)
    support = all(_speaks(counts, row, column) for row, column in enumerate(order))
    # A mean over rows of words, too, counts rows: words of one text are not independent.
    return Measured(order, share(order), share(named), task.guess(Truth(truth)), len(truth), support)


def _evidence(logits: np.ndarray, truth: Any, task: Task) -> np.ndarray:
    """``[labels, outputs]``: rows of each label that an output wins; of independent labels how far they go together."""
    outputs = logits.shape[1]
    if task.problem is not None:
        given, wanted = logits > 0, np.asarray(truth) > 0.5
        both = wanted.T.astype(np.float64) @ given
        return np.asarray(2 * both - given.sum(0)[None, :])
    flat = np.asarray(truth.flat if task.words else truth)
    known = (flat >= 0) & ~np.isnan(logits[:, 0])
    counts = np.zeros((outputs, outputs))
    np.add.at(counts, (flat[known], logits[known].argmax(axis=1)), 1.0)
    return counts


def _best(counts: np.ndarray, start: Sequence[int]) -> list[int]:
    """The order of the largest sum, by exchanging pairs from `start` on; exact where each label has an own output."""
    order = _greedy(counts)

    def total(found: Sequence[int]) -> float:
        return float(sum(counts[row, column] for row, column in enumerate(found)))

    if total(start) >= total(order):
        order = list(start)
    improved = True
    while improved:
        improved = False
        for first in range(len(order)):
            for second in range(first + 1, len(order)):
                swapped = list(order)
                swapped[first], swapped[second] = order[second], order[first]
                if total(swapped) > total(order):
                    order, improved = swapped, True
    return order


def _greedy(counts: np.ndarray) -> list[int]:
    left = counts.astype(np.float64)
    order = [0] * len(counts)
    for _ in range(len(counts)):
        row, column = divmod(int(left.argmax()), len(counts))
        order[row] = column
        left[row, :], left[:, column] = -np.inf, -np.inf
    return order


def _speaks(counts: np.ndarray, row: int, column: int) -> bool:
    """Enough rows of the label win this output, more than win any other, or than any other label's rows do."""
    count = counts[row, column]
    return bool(count >= _SUPPORT and (count >= counts[row].max() or count >= counts[:, column].max()))


@dataclass(frozen=True)
class Head:
    """A teacher with a head of its own.

    Attributes:
        source: folder or hub id.
        config: its configuration.
        order: `head_order`.
        labels: our labels.
    """

    source: Any
    config: Any
    order: list[int]
    labels: list[str]


def believed(
    head: Head, train: TokenDataset, recipe: Recipe, task: Task, progress: Progress
) -> tuple[list[int] | None, list[str]]:
    """The order in which the head gives our labels, measured on training rows; None: a new head must be trained.

    A head whose names fit is kept even when it answers no better than a guess, with a warning; one without names, or
    with names that its answers contradict, goes by its answers.

    Returns:
        The order or None, and warnings.

    Raises:
        TrainError: the answers do not tell the order, and ``teacher.finetune`` is ``never``.
    """
    chosen = _sample(train.labels, len(head.labels), task)
    model = load_classifier(head.source)
    found = outputs(model, train.rows.take(chosen), progress=progress, what="teacher's head")
    measured = measure(found.logits, train.labels[chosen], head.order, task)
    nameless = is_nameless(head.config)
    if not nameless and measured.names_hold:
        return head.order, []
    if measured.order_holds:
        known = ", ".join(
            f"{label} = output {output}" for label, output in zip(head.labels, measured.order, strict=True)
        )
        share = f"{100 * measured.found:.1f} % {task.metric} on {measured.count:,} training rows"
        progress.message(f"  teacher: its outputs are matched by its answers ({share}): {known}")
        if nameless or measured.order == head.order:
            return measured.order, []
        return measured.order, [
            f"the teacher's labels are named in another order than it answers ({measured.shown(task.metric)} by name, "
            f"{100 * measured.found:.1f} % as taken): {known}"
        ]
    told = measured.shown(task.metric)
    if not nameless:
        return head.order, [f"the teacher's own head is no better than a guess ({told}): set teacher.finetune = always"]
    what = f"the model's labels have no names, and its answers do not tell which is which (in their order {told})"
    if recipe.teacher.finetune == "never":
        raise no_head(recipe, head.labels, what)
    progress.message(f"  teacher: {what}; it is fine-tuned")
    return None, []


def _sample(labels: Any, count: int, task: Task) -> list[int]:
    """Numbers of up to `ROWS` rows: of each class alike where a row has one, else spread evenly."""
    if task.problem is None and not task.words:
        classes = [np.flatnonzero(np.asarray(labels) == label)[: -(-ROWS // count)] for label in range(count)]
        return [int(row) for row in np.sort(np.concatenate(classes))]
    return list(range(0, len(labels), -(-len(labels) // ROWS) or 1))
