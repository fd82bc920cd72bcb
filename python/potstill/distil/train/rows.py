"""Token rows of everything that training looks at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from potstill.models.evaluation import Outputs
from potstill.models.heads import Task, Truth
from potstill.models.heads.tags import Tags
from potstill.models.tokens import NO_LABEL, TokenDataset, encode, encode_dataset
from potstill.models.words import WordDataset, encode_words


@dataclass
class Rows:
    """Token rows of everything training looks at, in one tokenizer's ids.

    Attributes:
        train, validation, test: rows with their labels; unlabelled texts are the last of ``train``.
        pad_id: id of the padding token.
        labelled: number of rows of ``train`` that have a label column.
        teacher: for a task that learns vectors, the teacher's outputs for ``validation`` and ``test``.
        projection: ``[teacher hidden, student hidden]``, the way from these vectors into the student's space.
    """

    train: TokenDataset
    validation: TokenDataset
    test: TokenDataset
    pad_id: int
    labelled: int
    teacher: dict[str, Outputs] = field(default_factory=dict)
    projection: np.ndarray | None = None

    def truth(self, split: str) -> Truth:
        """What outputs for a split are measured against."""
        vectors = self.teacher[split].pooled if split in self.teacher else None
        return Truth(getattr(self, split).labels, vectors, self.projection)


def encode_rows(tokenizer: Any, splits: Any, max_tokens: int, task: Task) -> Rows:
    """Token rows of all splits, with the task's labels; unlabelled texts join the training rows."""
    train, validation, test = (
        encode_split(tokenizer, splits, name, max_tokens, task) for name in ("train", "validation", "test")
    )
    count = len(train)
    if splits.unlabelled is not None and len(splits.unlabelled):
        train = _with_unlabelled(train, tokenizer, list(splits.unlabelled["text"]), max_tokens)
    return Rows(train, validation, test, int(tokenizer.pad_token_id), count)


def encode_split(tokenizer: Any, splits: Any, name: str, max_tokens: int, task: Task) -> TokenDataset:
    """Token rows of the split called ``name`` with their labels."""
    dataset = getattr(splits, name)
    labels = task.label_array(list(dataset["label"]), len(splits.labels))
    if task.words:
        ids, words = encode_words(tokenizer, list(dataset["text"]), max_tokens)
        return WordDataset(ids, labels, words)
    ids, types = encode_dataset(tokenizer, dataset, max_tokens)
    return TokenDataset(ids, labels, types=types)


def _with_unlabelled(train: TokenDataset, tokenizer: Any, texts: list[Any], max_tokens: int) -> TokenDataset:
    if isinstance(train, WordDataset):
        ids, words = encode_words(tokenizer, texts, max_tokens)
        untagged = [np.full(len(row), NO_LABEL, np.int64) for row in words]
        return WordDataset([*train.ids, *ids], Tags([*train.labels.rows, *untagged]), [*train.words, *words])
    more = encode(tokenizer, texts, max_tokens)
    none = np.full((len(more), *train.labels.shape[1:]), NO_LABEL, train.labels.dtype)
    return TokenDataset([*train.ids, *more], np.concatenate([train.labels, none]))
