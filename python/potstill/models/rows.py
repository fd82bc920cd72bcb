"""Texts of a data set as token rows, and these with their labels: what models are trained and measured on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from potstill.models.tags import Tags
from potstill.models.tokens import NO_LABEL, encode, encode_pairs
from potstill.models.words import at_tokens, encode_words
from potstill.runtime.rows import TokenRows


def encode_dataset(tokenizer: Any, dataset: Any, max_tokens: int) -> TokenRows:
    """Token rows of a data set with the column ``text``; with token types when it has ``text_pair`` too.

    Texts that are lists of words also give the places of these (`potstill.models.words`).

    Raises:
        TrainError: max_tokens is over what the tokenizer's model can take.
    """
    texts, pad_id = list(dataset["text"]), int(tokenizer.pad_token_id or 0)
    if "text_pair" in getattr(dataset, "column_names", dataset):
        return TokenRows(*encode_pairs(tokenizer, texts, list(dataset["text_pair"]), max_tokens), pad_id=pad_id)
    if texts and not isinstance(texts[0], str):
        ids, words = encode_words(tokenizer, texts, max_tokens)
        return TokenRows(ids, words=words, pad_id=pad_id)
    return TokenRows(encode(tokenizer, texts, max_tokens), pad_id=pad_id)


class TokenDataset(Dataset[dict[str, Any]]):
    """Rows for the Trainer: ids, label, and the teacher's outputs when they are known.

    Args:
        rows: token rows. Those that know their words are answered word by word: a row's labels are then ``[length]``,
            -100 but at first pieces of words.
        labels: class ids ``[rows]``, or a row of numbers each ``[rows, n]``, or the tags of words; None or -100 for
            rows without a label.
        extra: columns indexed by row, e.g. ``teacher_logits`` ``[rows, labels]``: arrays, or columns of the teacher
            cache.
    """

    def __init__(
        self,
        rows: TokenRows,
        labels: Sequence[int] | np.ndarray | Tags | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.rows = rows
        self.labels: Any = labels if isinstance(labels, Tags) else np.asarray(labels)
        if labels is None:
            self.labels = np.full(len(rows), NO_LABEL)
        self.extra: dict[str, Any] = dict(extra or {})
        self.lengths = rows.lengths

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        row: dict[str, Any] = {"input_ids": self.rows.ids[index], "labels": self._label(index)}
        if self.rows.types is not None:
            row["token_type_ids"] = self.rows.types[index]
        return row | {name: column[index] for name, column in self.extra.items()}

    def _label(self, index: int) -> Any:
        if isinstance(self.labels, Tags):
            assert self.rows.words is not None
            words = np.asarray(self.rows.words[index])
            return at_tokens(self.labels.rows[index], words, self.lengths[index], NO_LABEL)
        label = self.labels[index]
        return label if label.ndim else int(label)
