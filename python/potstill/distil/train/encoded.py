"""Token rows of everything that training looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from potstill.models.evaluation import Outputs
from potstill.models.heads import Task, Truth
from potstill.models.rows import TokenDataset, encode_dataset
from potstill.models.tags import Tags
from potstill.models.tokens import NO_LABEL
from potstill.runtime.rows import TokenRows

if TYPE_CHECKING:
    from potstill.data.splits import Splits


@dataclass
class EncodedSplits:
    """The rows of a data set in one tokenizer's ids.

    Attributes:
        train, validation, test: rows with their labels; unlabelled texts are the last of ``train``.
        labelled: number of rows of ``train`` that have a label column.
        teacher: for a task that learns vectors, the teacher's outputs for ``validation`` and ``test``.
        projection: ``[teacher hidden, student hidden]``, the way from these vectors into the student's space.
    """

    train: TokenDataset
    validation: TokenDataset
    test: TokenDataset
    labelled: int
    teacher: dict[str, Outputs] = field(default_factory=dict)
    projection: np.ndarray | None = None

    def truth(self, split: str) -> Truth:
        """What outputs for a split are measured against."""
        vectors = self.teacher[split].pooled if split in self.teacher else None
        return Truth(getattr(self, split).labels, vectors, self.projection)


def encode_splits(tokenizer: Any, splits: Splits, max_tokens: int, task: Task) -> EncodedSplits:
    """Token rows of all splits, with the task's labels; unlabelled texts, where there are any, join the training rows.

    Raises:
        TrainError: max_tokens is over what the tokenizer's model can take.
    """

    def encoded(dataset: Any) -> TokenDataset:
        labels = task.label_array(list(dataset["label"]), len(splits.labels))
        return TokenDataset(encode_dataset(tokenizer, dataset, max_tokens), labels)

    train, validation, test = encoded(splits.train), encoded(splits.validation), encoded(splits.test)
    count = len(train)
    if splits.unlabelled is not None and len(splits.unlabelled):
        train = _with_unlabelled(train, encode_dataset(tokenizer, splits.unlabelled, max_tokens))
    return EncodedSplits(train, validation, test, count)


def _with_unlabelled(train: TokenDataset, more: TokenRows) -> TokenDataset:
    first, labels = train.rows, train.labels
    rows = TokenRows([*first.ids, *more.ids], words=_joined(first.words, more.words), pad_id=first.pad_id)
    if isinstance(labels, Tags):
        untagged = [np.full(len(row), NO_LABEL, np.int64) for row in more.words or ()]
        return TokenDataset(rows, Tags([*labels.rows, *untagged]))
    none = np.full((len(more), *labels.shape[1:]), NO_LABEL, labels.dtype)
    return TokenDataset(rows, np.concatenate([labels, none]))


def _joined(first: Sequence[Any] | None, second: Sequence[Any] | None) -> list[Any] | None:
    return None if first is None or second is None else [*first, *second]
