"""One label a text: softmax, cross-entropy, accuracy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from potstill.data.sources import read_classes
from potstill.models.heads.base import Task, Truth

if TYPE_CHECKING:
    from potstill.data.labels import Raw
    from potstill.models.evaluation import Outputs
    from potstill.recipe.schema import Data, Distil, Recipe


class Classification(Task):
    """See the module."""

    name: ClassVar[str] = "classification"
    metric: ClassVar[str] = "accuracy"

    def read_labels(self, raws: Mapping[str, Raw], data: Data) -> tuple[list[str], dict[str, list[Any]]]:
        """Class names and class ids; see `potstill.data.labels`."""
        return read_classes(raws, data)

    def label_array(self, column: Sequence[Any], labels: int) -> np.ndarray:
        """``[rows]`` int64 class ids."""
        del labels
        return np.asarray(column, dtype=np.int64)

    def loss_weights(self, settings: Distil) -> dict[str, float]:
        """Cross-entropy by ``alpha``, KL divergence by the rest, and the cosine of pooled vectors."""
        alpha = float(settings.alpha)
        return {"hard": alpha, "soft": 1.0 - alpha, "pooled_cosine": float(settings.pooled_cosine)}

    def refusals(self, recipe: Recipe) -> Iterator[str]:
        """Nothing: every setting has a meaning."""
        del recipe
        yield from ()

    def metrics(self, found: Outputs, truth: Truth) -> dict[str, float]:
        """``accuracy``: share of rows whose largest logit is at the label; ``macro_f1``: see `macro_f1`."""
        answers = found.logits.argmax(axis=1)
        return {self.metric: _share_equal(answers, truth.labels), "macro_f1": macro_f1(answers, truth.labels)}

    def guess(self, truth: Truth) -> float:
        """Share of the commonest label."""
        labels = np.asarray(truth.labels)
        return float(np.bincount(labels).max() / len(labels)) if len(labels) else 0.0

    def right(self, found: Outputs, truth: Truth) -> np.ndarray:
        """Whether the largest logit is at the label."""
        return np.asarray(found.logits.argmax(axis=1) == np.asarray(truth.labels))

    def agreement(self, found: Outputs, wanted: Outputs) -> float:
        """Share of rows with the same largest logit."""
        return _share_equal(found.logits.argmax(axis=1), wanted.logits.argmax(axis=1))


def macro_f1(found: np.ndarray, wanted: Any) -> float:
    """The mean of each class's F1, over the classes that are found or wanted; 0.0 for no rows.

    Args:
        found, wanted: class ids ``[rows]``.
    """
    truth = np.asarray(wanted)
    each = []
    for kind in np.union1d(found, truth):
        hits = int(((found == kind) & (truth == kind)).sum())
        each.append(2 * hits / int((found == kind).sum() + (truth == kind).sum()))
    return float(np.mean(each)) if each else 0.0


def _share_equal(found: np.ndarray, wanted: Any) -> float:
    return float((found == np.asarray(wanted)).mean()) if len(found) else 0.0


TASK = Classification
