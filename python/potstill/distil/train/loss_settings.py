"""What the loss of a distillation consists of: weights by name, and settings of some losses."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from potstill.distil.losses import TOKEN_LOSSES
from potstill.errors import TrainError

if TYPE_CHECKING:
    from potstill.recipe.schema import Distil


@dataclass(frozen=True)
class LossSettings:
    """The losses of a training.

    Attributes:
        weights: of `potstill.distil.losses.LOSSES`, each finite and 0 or more.
        temperature: T of the soft losses, above 0.
        class_weights: ``[labels]``, what a row of each class counts in the loss on labels; None: all alike.
        teacher_layers: teacher layer (from 0) for each student layer in losses of tokens; None: evenly, the last of
            each group.
        relation_layer: teacher layer of the relations; None: the last.
        relation_heads: heads of the relations; None: the teacher's, or the next number below that divides both widths.

    Raises:
        TrainError: temperature or a weight out of range.
    """

    weights: Mapping[str, float] = field(default_factory=dict)
    temperature: float = 2.0
    class_weights: np.ndarray | Sequence[float] | None = None
    teacher_layers: Sequence[int] | None = None
    relation_layer: int | None = None
    relation_heads: int | None = None

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise TrainError(
                "T024", f"temperature is {self.temperature}", "distil.temperature", "use a number above 0, e.g. 2"
            )
        bad = [name for name, weight in self.weights.items() if not 0 <= weight < float("inf")]
        if bad:
            raise TrainError(
                "T025", ", ".join(f"{name} is {self.weights[name]}" for name in bad),
                ", ".join(f"distil.{name}" for name in bad), "use 0 or more",
            )  # fmt: skip

    @property
    def by_token(self) -> dict[str, float]:
        """Weights above 0 of the losses that compare token by token."""
        return {name: self.weights[name] for name in TOKEN_LOSSES if self.weights.get(name, 0.0) > 0}

    def wants(self, *names: str) -> bool:
        """Whether one of these losses has a weight."""
        return any(self.weights.get(name, 0.0) > 0 for name in names)

    @staticmethod
    def of(settings: Distil, weights: Mapping[str, float], class_weights: np.ndarray | None = None) -> LossSettings:
        """Those of a recipe's section: a task's ``weights``, and the losses of tokens."""
        by_token = {name: float(getattr(settings, name)) for name in TOKEN_LOSSES}
        return LossSettings(
            {**weights, **by_token}, settings.temperature, class_weights, settings.teacher_layers,
            settings.relation_layer, settings.relation_heads,
        )  # fmt: skip

    @staticmethod
    def of_keywords(temperature: float, alpha: float, keywords: dict[str, Any]) -> LossSettings:
        """Those that a caller of the trainer names; they are taken out of the keywords.

        Raises:
            TrainError: alpha is not between 0 and 1.
        """
        if not 0 <= alpha <= 1:
            raise TrainError("T025", f"alpha is {alpha}", "distil.alpha", "use 0 to 1")
        if temperature > 0 and not 1 <= temperature <= 4:
            warnings.warn(f"temperature {temperature} is outside the usual 1 to 4", UserWarning, stacklevel=3)
        weights = {"hard": float(alpha), "soft": 1.0 - float(alpha)}
        weights |= {name: float(keywords.pop(name, 0.0)) for name in ("pooled_cosine", *TOKEN_LOSSES)}
        more = {one.name: keywords.pop(one.name) for one in dataclasses.fields(LossSettings) if one.name in keywords}
        return LossSettings(weights, float(temperature), **more)
