"""Any number of labels a text, each decided by itself: sigmoid, binary cross-entropy, micro-averaged F1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from potstill.data.label_sets import label_set_ids, label_set_names, tidy_sets
from potstill.models.heads.base import Task, Truth

if TYPE_CHECKING:
    from potstill.data.labels import Raw
    from potstill.models.evaluation import Outputs
    from potstill.recipe.schema import Data, Distil


class MultiLabel(Task):
    """See the module. A label is given where its sigmoid is over 0.5, which is where its logit is over 0."""

    name: ClassVar[str] = "multi-label"
    metric: ClassVar[str] = "micro_f1"
    problem: ClassVar[str | None] = "multi_label_classification"

    def read_labels(self, raws: Mapping[str, Raw], data: Data) -> tuple[list[str], dict[str, list[Any]]]:
        """Label names, and each row's label ids; see `potstill.data.label_sets`."""
        tidy, separator = tidy_sets(raws, data.labels), data.label_separator
        names = label_set_names(tidy["train"], data.labels, separator)
        ordered = data.labels is not None or tidy["train"].names is not None
        return names, {part: label_set_ids(raw, names, separator, ordered=ordered) for part, raw in tidy.items()}

    def label_array(self, column: Sequence[Any], labels: int) -> np.ndarray:
        """``[rows, labels]`` f32, 1 where a row has a label, else 0."""
        found = np.zeros((len(column), labels), np.float32)
        for row, ids in enumerate(column):
            found[row, ids] = 1.0
        return found

    def loss_weights(self, settings: Distil) -> dict[str, float]:
        """Binary cross-entropy by ``alpha``, the same to the teacher's probabilities by the rest, pooled cosine."""
        alpha = float(settings.alpha)
        return {"hard_binary": alpha, "soft_binary": 1.0 - alpha, "pooled_cosine": float(settings.pooled_cosine)}

    def metrics(self, found: Outputs, truth: Truth) -> dict[str, float]:
        """``micro_f1``: F1 over all (row, label) pairs; ``subset_accuracy``: share of rows with exactly their labels.

        F1 is 1 when nothing was to be found and nothing was.
        """
        given, wanted = found.logits > 0, np.asarray(truth.labels) > 0.5
        hits, total = int((given & wanted).sum()), int(given.sum() + wanted.sum())
        exact = float((given == wanted).all(axis=1).mean()) if len(given) else 0.0
        return {self.metric: 2 * hits / total if total else 1.0, "subset_accuracy": exact}

    def guess(self, truth: Truth) -> float:
        """Micro F1 of giving the same labels to every row: the commonest, as many as make it largest."""
        wanted = np.asarray(truth.labels) > 0.5
        hits = np.cumsum(np.sort(wanted.sum(axis=0))[::-1])
        given = len(wanted) * np.arange(1, wanted.shape[1] + 1)
        return float((2 * hits / (given + wanted.sum())).max()) if wanted.any() else 0.0

    def right(self, found: Outputs, truth: Truth) -> np.ndarray:
        """Whether a row gets exactly its labels."""
        return np.asarray(((found.logits > 0) == (np.asarray(truth.labels) > 0.5)).all(axis=1))

    def agreement(self, found: Outputs, wanted: Outputs) -> float:
        """Share of rows with the same labels."""
        return float(((found.logits > 0) == (wanted.logits > 0)).all(axis=1).mean()) if len(found.logits) else 0.0


TASK = MultiLabel
