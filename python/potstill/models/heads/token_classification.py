"""One label a word: softmax, cross-entropy over the words, word accuracy; of entities their F1.

A word is answered at its first piece (Devlin et al.: BERT, 2019, section 5.3). Outputs have one row a word here, the
words of all rows one after another: logits ``[words, labels]``, NaN for a word that the cut to max_tokens took away,
which counts as one labelled wrongly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from potstill.data.tagging import entities, looks_like_tags
from potstill.data.words import tag_ids, tag_names
from potstill.models.heads.base import Task, Truth
from potstill.models.tags import Tags

if TYPE_CHECKING:
    from potstill.data.labels import Raw
    from potstill.models.evaluation import Outputs
    from potstill.recipe.schema import Data, Distil, Recipe


class TokenClassification(Task):
    """See the module; with label names that spell entities, `with_labels` gives `Entities`."""

    name: ClassVar[str] = "token-classification"
    metric: ClassVar[str] = "word_accuracy"
    words: ClassVar[bool] = True
    outputs: ClassVar[tuple[str, ...]] = ("logits",)

    def with_labels(self, names: Sequence[str]) -> Task:
        """The task that also counts entities where the names spell them in a known scheme."""
        return Entities(names) if looks_like_tags(names) else self

    def read_labels(self, raws: Mapping[str, Raw], data: Data) -> tuple[list[str], dict[str, list[Any]]]:
        """Tag names, and each row's tag ids; see `potstill.data.words`."""
        names = tag_names(raws["train"], data.labels)
        ordered = data.labels is not None or raws["train"].names is not None
        return names, {part: tag_ids(raw, names, ordered=ordered) for part, raw in raws.items()}

    def label_array(self, column: Sequence[Any], labels: int) -> Tags:
        """The tag ids of each row."""
        del labels
        return Tags([np.asarray(row, dtype=np.int64) for row in column])

    def loss_weights(self, settings: Distil) -> dict[str, float]:
        """Cross-entropy by ``alpha``, KL divergence by the rest, both means over the words of a batch."""
        alpha = float(settings.alpha)
        return {"hard": alpha, "soft": 1.0 - alpha}

    def refusals(self, recipe: Recipe) -> Iterator[str]:
        """What belongs to whole texts."""
        yield from super().refusals(recipe)
        task = 'task = "token-classification"'
        if recipe.data.text_pair is not None:
            yield f"data.text_pair does not go with {task}; it reads single rows of words"
        if recipe.distil.pooled_cosine > 0:
            yield f"distil.pooled_cosine compares vectors of whole texts, and {task} has none; set it to 0"
        if recipe.distil.augment:
            yield f"distil.augment makes texts whose words have no tags, and {task} needs them; set it to 0"
        if recipe.student.architecture == "static":
            yield (
                f"a static student sees each token alone, and {task} asks what a word is among others; use "
                'student.architecture = "bert"'
            )
        if recipe.teacher.pooling not in ("auto", "mean") or recipe.student.pooling != "mean":
            yield f"pooling makes one vector of a text, and {task} answers every word; leave it out"
        if recipe.budget.stated:
            yield (
                f"budget chooses among students of whole texts and does not know {task}; leave it out and set "
                "student.layers and student.hidden"
            )

    def metrics(self, found: Outputs, truth: Truth) -> dict[str, float]:
        """``word_accuracy``: share of words whose largest logit is at their tag."""
        right = self.right(found, truth)
        return {"word_accuracy": float(right.mean()) if len(right) else 0.0}

    def guess(self, truth: Truth) -> float:
        """Share of the commonest tag."""
        tags = truth.labels.flat
        tags = tags[tags >= 0]
        return float(np.bincount(tags).max() / len(tags)) if len(tags) else 0.0

    def right(self, found: Outputs, truth: Truth) -> np.ndarray:
        """Whether each word gets its tag, ``[words]`` bool."""
        return np.asarray(answers(found.logits) == truth.labels.flat)

    def agreement(self, found: Outputs, wanted: Outputs) -> float:
        """Share of words with the same largest logit."""
        same = answers(found.logits) == answers(wanted.logits)
        return float(same.mean()) if len(same) else 0.0


class Entities(TokenClassification):
    """Tags that spell entities: micro-averaged F1 over exact entities (type, first and last word).

    Args:
        names: the tags' names.
    """

    metric: ClassVar[str] = "entity_f1"

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)

    def guess(self, truth: Truth) -> float:
        """0: no constant answer finds an entity and its end."""
        del truth
        return 0.0

    def metrics(self, found: Outputs, truth: Truth) -> dict[str, float]:
        """``entity_f1``, ``entity_precision``, ``entity_recall``, ``word_accuracy``.

        Precision is 1 when no entity was found and recall 1 when none was to be found.
        """
        tags: Tags = truth.labels
        given = wanted = hits = 0
        for ours, theirs in zip(tags.cut(answers(found.logits)), tags.rows, strict=True):
            mine, right = (entities([self.names[tag] if tag >= 0 else "O" for tag in row]) for row in (ours, theirs))
            given, wanted, hits = given + len(mine), wanted + len(right), hits + len(mine & right)
        return {
            self.metric: 2 * hits / (given + wanted) if given + wanted else 1.0,
            "entity_precision": hits / given if given else 1.0,
            "entity_recall": hits / wanted if wanted else 1.0,
            **super().metrics(found, truth),
        }


def answers(logits: np.ndarray) -> np.ndarray:
    """The tag of each word, ``[words]`` int64 of ``[words, labels]``; -1 for a word without logits."""
    if not logits.size:
        return np.zeros(len(logits), np.int64)
    lost = np.isnan(logits[:, 0])
    return np.where(lost, -1, np.where(lost[:, None], 0.0, logits).argmax(axis=1))


TASK = TokenClassification
