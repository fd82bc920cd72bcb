"""A vector a text: the student's pooled vector learns to stand where the teacher's does.

No label is needed. The teacher, a sentence encoder, is taken as it is. A student narrower than it gives vectors of its
own width: teacher vectors are compared after projection onto the student's axes (those of its initialisation).
As in Reimers and Gurevych: Making Monolingual Sentence Embeddings Multilingual using Knowledge Distillation, 2020
(MSE between sentence vectors), with the cosine beside it, which is what retrieval ranks by.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from potstill.data.sources import read_classes
from potstill.errors import DataError
from potstill.models.heads.base import Task, Truth
from potstill.models.retrieval import cosine, neighbour_agreement, same_class_at_1

if TYPE_CHECKING:
    from potstill.data.labels import Raw
    from potstill.models.evaluation import Outputs
    from potstill.recipe.schema import Data, Distil, Recipe

# File in a student's folder: [teacher hidden, student hidden] f32, from the teacher's space into the student's.
PROJECTION = "teacher_projection.npy"
# Cosine with PyTorch's vector from which on an export's vector counts as the same: far below what rounding does to a
# vector, so that missing it means something is broken.
SAME_VECTOR = 0.95


class Embedding(Task):
    """See the module. The figure that counts is the mean cosine to the teacher's vectors on the test texts."""

    name: ClassVar[str] = "embedding"
    metric: ClassVar[str] = "cosine"
    labelled: ClassVar[bool] = False
    outputs: ClassVar[tuple[str, ...]] = ("embedding",)

    def read_labels(self, raws: Mapping[str, Raw], data: Data) -> tuple[list[str], dict[str, list[Any]]]:
        """No label names: the model has no head. Classes of the texts, where there are any, serve the retrieval check.

        Class ids are -1 when a split has no usable label column.
        """
        try:
            if any(raw.labels is None for raw in raws.values()):
                raise LookupError
            return [], read_classes(raws, data)[1]
        except (DataError, LookupError):
            return [], {part: [-1] * len(raw.texts) for part, raw in raws.items()}

    def label_array(self, column: Sequence[Any], labels: int) -> np.ndarray:
        """``[rows]`` int64 classes, -1 where unknown."""
        del labels
        return np.asarray(column, dtype=np.int64)

    def loss_weights(self, settings: Distil) -> dict[str, float]:
        """Cosine by ``pooled_cosine`` (1 when that is 0), and the relative squared error by 1."""
        return {"pooled_cosine": float(settings.pooled_cosine) or 1.0, "pooled_mse": 1.0}

    def refusals(self, recipe: Recipe) -> Iterator[str]:
        """What needs labels, or their scores."""
        yield from super().refusals(recipe)
        task = 'task = "embedding"'
        if recipe.data.text_pair is not None:
            yield f"data.text_pair does not go with {task}; it reads single texts"
        if recipe.teacher.finetune == "always":
            yield f'teacher.finetune = "always" has no meaning with {task}: nothing is labelled'
        if recipe.student.init == "prune":
            yield f'student.init = "prune" looks at the scores of labels, and {task} has none; use "pca"'
        if recipe.student.head_hidden:
            yield f"student.head_hidden is part of a classification head, and {task} has none; set it to 0"
        if recipe.quantize.qat_epochs > 0:
            yield f"quantize.qat_epochs trains on the scores of labels, and {task} has none; set it to 0"
        if recipe.compile.scheme == "mixed":
            yield (
                f'compile.scheme = "mixed" measures layers by the scores of labels, and {task} has none; '
                'use "int8" or "int4"'
            )
        if recipe.budget.stated:
            yield (
                f"budget chooses among students of classifiers and does not know {task}; leave it out and set "
                "student.layers and student.hidden"
            )

    def metrics(self, found: Outputs, truth: Truth) -> dict[str, float]:
        """``cosine`` to the teacher (mean); ``neighbour_at_1`` and ``neighbour_mrr``: see `neighbour_agreement`.

        With classes: ``class_at_1``, the share of texts whose nearest neighbour is of their class, and
        ``teacher_class_at_1``, the same for the teacher's vectors.
        """
        assert truth.vectors is not None
        at_1, mrr = neighbour_agreement(found.pooled, truth.vectors)
        figures = {self.metric: self.score(found, truth), "neighbour_at_1": at_1, "neighbour_mrr": mrr}
        classes = np.asarray(truth.labels)
        for name, vectors in (("class_at_1", found.pooled), ("teacher_class_at_1", truth.vectors)):
            share = same_class_at_1(vectors, classes)
            if share is not None:
                figures[name] = share
        return figures

    def score(self, found: Outputs, truth: Truth) -> float:
        """The mean cosine alone: neighbours of a large validation set take long."""
        assert truth.vectors is not None
        if not len(found.pooled):
            return 0.0
        return float(cosine(found.pooled, project(truth.vectors, truth.projection)).mean())

    def agreement(self, found: Outputs, wanted: Outputs) -> float:
        """Share of rows whose vectors have a cosine of at least `SAME_VECTOR`."""
        return float((cosine(found.pooled, wanted.pooled) >= SAME_VECTOR).mean())


def teacher_projection(student_dir: Path) -> np.ndarray | None:
    """The map from the teacher's space that a student was trained with; None when both are of one space."""
    path = student_dir / PROJECTION
    return np.load(path) if path.is_file() else None


def project(vectors: np.ndarray, projection: np.ndarray | None) -> np.ndarray:
    """Teacher vectors ``[rows, teacher hidden]`` in the student's space ``[rows, student hidden]`` f32."""
    return vectors if projection is None else np.asarray(vectors @ projection, dtype=np.float32)


TASK = Embedding
