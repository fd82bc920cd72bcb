"""What a task supplies: labels, loss, metric, and when two models answer alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import numpy as np

    from potstill.data.labels import Raw
    from potstill.models.evaluation import Outputs
    from potstill.recipe.schema import Data, Distil, Recipe


@dataclass(frozen=True)
class Truth:
    """What the outputs for some rows are measured against.

    Attributes:
        labels: as `Task.label_array` gives them; first axis: rows.
        vectors: the teacher's pooled vectors, ``[rows, teacher hidden]`` f32; None when the task needs none.
        projection: ``[teacher hidden, hidden]``, the teacher's space seen from the model's; None: they are one.
    """

    labels: Any
    vectors: np.ndarray | None = None
    projection: np.ndarray | None = None


class Task(ABC):
    """One kind of task.

    Attributes:
        name: as in a recipe.
        metric: name of the figure by which the best epoch is chosen and that reports show first.
        labelled: whether training needs labels, and so whether a teacher is fine-tuned.
        words: whether a row is a list of words and has a label for each: outputs then have one row a word.
        outputs: outputs of the exported graphs, in order.
        problem: ``problem_type`` of the Hugging Face configuration, None for its default.
    """

    name: ClassVar[str]
    metric: ClassVar[str]
    labelled: ClassVar[bool] = True
    words: ClassVar[bool] = False
    outputs: ClassVar[tuple[str, ...]] = ("logits", "embedding")
    problem: ClassVar[str | None] = None

    def with_labels(self, names: Sequence[str]) -> Task:
        """The task for these labels; some tasks measure by what the labels are called."""
        del names
        return self

    @abstractmethod
    def read_labels(self, raws: Mapping[str, Raw], data: Data) -> tuple[list[str], dict[str, list[Any]]]:
        """Names of the labels, and each split's label column with one entry a row.

        Args:
            raws: rows of each split as read; ``train`` is there.
            data: the recipe's ``data`` section.

        Raises:
            DataError: what is wrong in which row.
        """

    @abstractmethod
    def label_array(self, column: Sequence[Any], labels: int) -> Any:
        """A split's label column as an array (of words `Tags`) for losses and metrics; ``labels``: number of names."""

    @abstractmethod
    def loss_weights(self, settings: Distil) -> dict[str, float]:
        """Names of `potstill.distil.losses.LOSSES` with their weights, from the recipe's ``distil`` section."""

    def refusals(self, recipe: Recipe) -> Iterator[str]:
        """What of a recipe does not go with this task, each "reason; next step"."""
        if recipe.distil.class_weights != "none":
            yield (
                f'distil.class_weights weighs rows of one class each, and task = "{self.name}" has none; set it to '
                '"none"'
            )

    @abstractmethod
    def metrics(self, found: Outputs, truth: Truth) -> dict[str, float]:
        """All figures of the outputs; the one called `metric` first."""

    def joined(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        """Logits of single rows as one array, as `Outputs` has them."""
        import numpy as np

        return np.concatenate(rows) if self.words else np.stack(rows)

    def score(self, found: Outputs, truth: Truth) -> float:
        """The figure called `metric`; larger is better."""
        return self.metrics(found, truth)[self.metric]

    def guess(self, truth: Truth) -> float:
        """The figure called `metric` of the best constant answer: what an answer must beat to mean anything."""
        del truth
        return 0.0

    def right(self, found: Outputs, truth: Truth) -> np.ndarray:
        """Whether the answer to each row is exactly the truth, ``[rows]`` bool; for tasks with labels."""
        raise NotImplementedError(f"{self.name} has no labels")

    @abstractmethod
    def agreement(self, found: Outputs, wanted: Outputs) -> float:
        """Share of rows of the outputs (0-1) for which one model's answer is the other's."""
