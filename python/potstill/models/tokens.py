"""Token ids in memory: tokenizing once, dynamic padding, and a sampler that batches rows of like length.

Padding costs as much as real tokens. The demo reviews have 27 tokens on average and 64 at most: with random batches of
32 48 % of the work is padding, with length grouping 3 %.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Sampler
from transformers import AutoTokenizer

from potstill.errors import TrainError
from potstill.models.hub import model_errors, quiet_loading
from potstill.runtime.rows import TokenRows

# Batches are cut from windows of this many batches, sorted by length: grouping keeps some randomness.
_WINDOW = 50
NO_LABEL = -100


def load_tokenizer(model: Path | str) -> Any:
    """The tokenizer of a folder or hub id (errors as `load_classifier` and `give_padding`)."""
    with model_errors(model), quiet_loading():
        tokenizer = AutoTokenizer.from_pretrained(str(model))
    give_padding(tokenizer, str(model))
    return tokenizer


def give_padding(tokenizer: Any, where: str) -> None:
    """Let a tokenizer without a padding token, as decoders have, pad with another of its special tokens.

    Padding is never read: models are told by the mask. It is a token that ends no text, since a decoder finds a text's
    end by it.

    Raises:
        TrainError: it has no special token to pad with.
    """
    if tokenizer.pad_token_id is not None:
        return
    end = (tokenizer("a")["input_ids"] or [None])[-1]
    for name in ("eos_token", "unk_token", "bos_token"):
        if getattr(tokenizer, name) is not None and getattr(tokenizer, f"{name}_id") != end:
            tokenizer.pad_token = getattr(tokenizer, name)
            return
    raise TrainError(
        "T006", "the tokenizer has no padding token, and no other special token to pad with", where,
        "add one of the model's own tokens to its tokenizer_config.json as pad_token",
    )  # fmt: skip


def encode(tokenizer: Any, texts: Sequence[str], max_tokens: int) -> list[np.ndarray]:
    """Token ids of texts, cut to max_tokens (special tokens included): a list of int32 arrays.

    Raises:
        TrainError: when max_tokens is over what the tokenizer's model can take.
    """
    check_limit(int(getattr(tokenizer, "model_max_length", 0) or 0), max_tokens)
    rows = tokenizer(list(texts), truncation=True, max_length=max_tokens, padding=False, return_attention_mask=False)
    return [np.asarray(ids, dtype=np.int32) for ids in rows["input_ids"]]


def encode_pairs(
    tokenizer: Any, texts: Sequence[str], pairs: Sequence[str], max_tokens: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Token ids and token types (0 first text, 1 second) of pairs, the longer text cut first: lists of int32 arrays.

    Raises:
        TrainError: as `encode`.
    """
    check_limit(int(getattr(tokenizer, "model_max_length", 0) or 0), max_tokens)
    rows = tokenizer(
        list(texts),
        list(pairs),
        truncation="longest_first",
        max_length=max_tokens,
        padding=False,
        return_attention_mask=False,
        return_token_type_ids=True,
    )
    ids, types = rows["input_ids"], rows["token_type_ids"]
    return [np.asarray(row, dtype=np.int32) for row in ids], [np.asarray(row, dtype=np.int32) for row in types]


def check_limit(limit: int, max_tokens: int) -> None:
    """TrainError: more tokens than a tokenizer's model takes; 0 is no limit."""
    if 0 < limit < max_tokens:
        raise TrainError(
            "T007",
            f"max_tokens is {max_tokens}, the teacher takes {limit}",
            "data.max_tokens",
            f"set data.max_tokens to {limit} or less",
        )


class Collator:
    """Pad rows to the longest of the batch; the teacher's outputs are stacked as f32, its states of tokens padded.

    ``teacher_input_ids`` (and ``teacher_token_type_ids``) come with their own ``teacher_attention_mask``.

    Accepts rows of lists, arrays or tensors; a missing attention mask means every token is real.

    Args:
        pad_id: id of the padding token.
        per_token: labels and the teacher's logits have one entry a token, and are padded (with -100 and NaN).
    """

    def __init__(self, pad_id: int = 0, per_token: bool = False) -> None:
        self.pad_id = pad_id
        self.per_token = per_token

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        typed = "token_type_ids" in rows[0]
        ids = [np.asarray(row["input_ids"]) for row in rows]
        types = [np.asarray(row["token_type_ids"]) for row in rows] if typed else None
        padded = TokenRows(ids, types, pad_id=self.pad_id).padded()
        longest = padded["input_ids"].shape[1]
        for index, row in enumerate(rows):
            if row.get("attention_mask") is not None:
                padded["attention_mask"][index, : len(row["input_ids"])] = np.asarray(row["attention_mask"])
        batch = {name: torch.from_numpy(array) for name, array in padded.items()}
        label_key = next((key for key in ("labels", "label") if key in rows[0]), None)
        if label_key is not None and self.per_token:
            labels = np.full((len(rows), longest), NO_LABEL, np.int64)
            for index, given in enumerate(rows):
                labels[index, : len(given[label_key])] = np.asarray(given[label_key])
            batch["labels"] = torch.from_numpy(labels)
        elif label_key is not None:
            if np.ndim(rows[0][label_key]):
                batch["labels"] = torch.from_numpy(np.stack([np.asarray(row[label_key]) for row in rows]))
            else:
                values = [NO_LABEL if row[label_key] is None else int(row[label_key]) for row in rows]
                batch["labels"] = torch.tensor(values, dtype=torch.int64)
        for key in ("teacher_logits", "teacher_pooled"):
            if key in rows[0] and self.per_token:
                batch[key] = _pad_states([np.asarray(row[key]) for row in rows], np.nan)
            elif key in rows[0]:
                stacked = np.stack([np.asarray(row[key], dtype=np.float32) for row in rows])
                batch[key] = torch.from_numpy(stacked)
        for key in rows[0]:
            if key.startswith("teacher_state_"):
                batch[key] = _pad_states([np.asarray(row[key]) for row in rows])
        if "teacher_alignment" in rows[0]:
            batch["teacher_alignment"] = _pad_matrices([row["teacher_alignment"] for row in rows])
        if rows[0].get("teacher_input_ids") is not None:
            keys = [key for key in ("input_ids", "token_type_ids") if f"teacher_{key}" in rows[0]]
            theirs = self([{key: row[f"teacher_{key}"] for key in keys} for row in rows])
            batch |= {f"teacher_{key}": value for key, value in theirs.items()}
        return batch


def _pad_states(rows: Sequence[np.ndarray], fill: float = 0.0) -> torch.Tensor:
    """States ``[length, width]`` of rows as one ``[batch, longest, width]`` f32, ``fill`` where a row has ended."""
    padded = np.full((len(rows), max(len(row) for row in rows), rows[0].shape[1]), fill, np.float32)
    for index, row in enumerate(rows):
        padded[index, : len(row)] = row
    return torch.from_numpy(padded)


def _pad_matrices(rows: Sequence[np.ndarray]) -> torch.Tensor:
    """Matrices of rows as one ``[batch, tallest, widest]`` f32, 0 beside them."""
    padded = np.zeros((len(rows), max(len(row) for row in rows), max(row.shape[1] for row in rows)), np.float32)
    for index, row in enumerate(rows):
        padded[index, : len(row), : row.shape[1]] = row
    return torch.from_numpy(padded)


class LengthGroupedSampler(Sampler[int]):
    """An order of rows in which batches hold like lengths, decided by (seed, epoch) alone.

    No global random state is read, so a resumed run sees the same batches. The longest batch comes first, so that a
    run that cannot fit fails at once.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self.lengths = np.asarray(lengths)
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order the next iteration gives."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        random = np.random.default_rng([self.seed, self.epoch])
        order = random.permutation(len(self.lengths))
        window = self.batch_size * _WINDOW
        batches: list[np.ndarray] = []
        for start in range(0, len(order), window):
            part = order[start : start + window]
            part = part[np.argsort(-self.lengths[part], kind="stable")]
            batches += [part[i : i + self.batch_size] for i in range(0, len(part), self.batch_size)]
        # Only the last batch may be short: the loader cuts this flat order into batches of batch_size again.
        tail = [batches.pop()] if batches and len(batches[-1]) < self.batch_size else []
        batches = [batches[i] for i in random.permutation(len(batches))]
        if batches:
            longest = max(range(len(batches)), key=lambda i: int(self.lengths[batches[i][0]]))
            batches[0], batches[longest] = batches[longest], batches[0]
        for batch in batches + tail:
            yield from (int(index) for index in batch)
