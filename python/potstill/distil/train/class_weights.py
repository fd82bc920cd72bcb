"""Weights of classes in the loss on true labels, for classes of uneven size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional as F

from potstill.distil.train.arguments import GroupedTrainer
from potstill.models.tokens import NO_LABEL

if TYPE_CHECKING:
    from potstill.recipe.schema import Distil


def balanced(labels: np.ndarray, classes: int) -> np.ndarray:
    """``rows / (classes * rows of the class)`` for each class, ``[classes]`` f32: together every class counts alike.

    The mean weight over the rows is 1, so the loss keeps its size.

    Args:
        labels: class ids ``[rows]``, -100 for rows without one.
        classes: number of classes; one without a row gets 1 and is not counted.
    """
    counts = np.bincount(labels[labels != NO_LABEL], minlength=classes)
    seen = counts > 0
    weights = counts.sum() / (max(1, int(seen.sum())) * np.maximum(counts, 1))
    return np.where(seen, weights, 1.0).astype(np.float32)


def chosen(settings: Distil, labels: Any, classes: int) -> np.ndarray | None:
    """The weights that ``distil.class_weights`` asks for, ``[classes]`` f32, or None."""
    return balanced(np.asarray(labels), classes) if settings.class_weights == "balanced" else None


class WeightedTrainer(GroupedTrainer):
    """A trainer of classifiers whose loss is cross-entropy times the weight of the row's class, mean over the rows."""

    def __init__(self, *args: Any, class_weights: np.ndarray, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.class_weights = torch.as_tensor(class_weights)
        # The loss is a mean over the batch: the Trainer has to divide it by the accumulation steps.
        self.model_accepts_loss_kwargs = False

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The weighted loss of one batch (a scalar), and the model's outputs on request."""
        del num_items_in_batch
        inputs = dict(inputs)
        labels = inputs.pop("labels")
        outputs = model(**inputs)
        logits = outputs["logits"].float()
        weights = self.class_weights.to(logits.device)
        loss = F.cross_entropy(logits, labels, weight=weights, ignore_index=NO_LABEL, reduction="none").mean()
        return (loss, outputs) if return_outputs else loss
