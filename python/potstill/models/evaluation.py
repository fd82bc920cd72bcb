"""Run a classifier over many rows, batched by length; accuracy in f32, the number every later artefact is held to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from potstill.models.classifier import load_classifier
from potstill.models.precision import autocast
from potstill.models.rows import encode_dataset
from potstill.models.tokens import load_tokenizer
from potstill.models.words import at_words
from potstill.runtime.rows import TokenRows
from potstill.work.progress import Progress, QuietProgress

# Tokens in a batch, padding included: larger gains nothing on a CPU, and memory stays near 100 MB for BERT-base.
_TOKENS = 4096


class Outputs(NamedTuple):
    """Outputs for rows in their given order: logits ``[rows, labels]`` f32, pooled ``[rows, hidden]`` f32.

    Of models that label words: for all words of the rows, logits ``[words, labels]``, NaN for words that were cut off;
    pooled is ``[words, 0]``.
    """

    logits: np.ndarray
    pooled: np.ndarray


def batches_by_length(lengths: Sequence[int], tokens: int = _TOKENS) -> Iterator[list[int]]:
    """Row numbers in batches of like length, longest first, at most ``tokens`` padded tokens each."""
    order = sorted(range(len(lengths)), key=lambda row: (-lengths[row], row))
    start = 0
    while start < len(order):
        size = max(1, tokens // max(1, lengths[order[start]]))
        yield order[start : start + size]
        start += size


def padded(rows: TokenRows) -> dict[str, torch.Tensor]:
    """What a model reads: ``input_ids``, ``attention_mask``, maybe ``token_type_ids``, ``[rows, length]`` int64."""
    return {name: torch.from_numpy(array) for name, array in rows.padded().items()}


def outputs(
    model: nn.Module,
    rows: TokenRows,
    *,
    precision: str = "fp32",
    progress: Progress | None = None,
    what: str = "evaluate",
    each: Callable[[list[int], torch.Tensor], None] | None = None,
    states: bool = False,
) -> Outputs:
    """Logits and pooled vectors of token rows, in eval mode without gradients; the model's mode is put back.

    Args:
        model: its forward gives ``.logits`` and mostly ``.pooled`` (`load_classifier`, `EncoderClassifier`).
        rows: the rows; those that know their words are answered word by word.
        precision: ``"fp32"``, ``"bf16"`` or ``"auto"``.
        progress: reports the rows done.
        what: label of the progress task.
        each: called after each batch with its row numbers and its mask ``[batch, length]``.
        states: with words, ``pooled`` is what the head reads at each word's place, ``[words, hidden]`` f32.
    """
    ends = np.cumsum([len(row) for row in rows.words or ()])
    device = next(model.parameters()).device
    was_training = model.training
    logits: np.ndarray | None = None
    pooled: np.ndarray | None = None
    model.eval()
    try:
        with (
            torch.no_grad(),
            autocast(precision, device.type),
            (progress or QuietProgress()).task(what, len(rows), "texts") as task,
        ):
            for chosen in batches_by_length(rows.lengths):
                batch = padded(rows.take(chosen))
                result = model(**{name: tensor.to(device) for name, tensor in batch.items()})
                if rows.words is not None:
                    read = result.pooled if states else result.logits[..., :0]
                    logits, pooled = _place((logits, pooled), (result.logits, read), chosen, rows.words, ends)
                else:
                    some = result.logits.float().cpu().numpy()
                    # A hub model in training has no `pooled`; its width is then 0.
                    vectors = getattr(result, "pooled", None)
                    vectors = some[:, :0] if vectors is None else vectors.float().cpu().numpy()
                    if logits is None or pooled is None:
                        logits = np.empty((len(rows), some.shape[1]), np.float32)
                        pooled = np.empty((len(rows), vectors.shape[1]), np.float32)
                    logits[chosen], pooled[chosen] = some, vectors
                if each is not None:
                    each(chosen, batch["attention_mask"])
                task.advance(len(chosen))
    finally:
        model.train(was_training)
    if logits is None or pooled is None:
        return Outputs(np.zeros((0, 0), np.float32), np.zeros((0, 0), np.float32))
    return Outputs(logits, pooled)


def _place(
    into: tuple[np.ndarray | None, ...],
    found: tuple[torch.Tensor, ...],
    rows: Sequence[int],
    words: Sequence[Any],
    ends: np.ndarray,
) -> tuple[np.ndarray, ...]:
    """Values ``[batch, length, width]`` of a batch put where the words of all rows stand, ``[words, width]``."""
    made = []
    for whole, tensor in zip(into, found, strict=True):
        values = tensor.float().cpu().numpy()
        if whole is None:
            whole = np.empty((int(ends[-1]), values.shape[2]), np.float32)
        for index, row in enumerate(rows):
            whole[ends[row] - len(words[row]) : ends[row]] = at_words(values[index], np.asarray(words[row]))
        made.append(whole)
    return tuple(made)


def predictions(model_dir: Path, dataset: Any, max_tokens: int, *, progress: Progress | None = None) -> Outputs:
    """Outputs in f32 of a saved classifier over a data set with a ``text`` column, perhaps ``text_pair`` beside it.

    Where texts are lists of words, of all words.

    Raises:
        TrainError: as `load_classifier`.
    """
    rows = encode_dataset(load_tokenizer(model_dir), dataset, max_tokens)
    return outputs(load_classifier(model_dir), rows, progress=progress, what=f"evaluate {model_dir.name}")


def share_right(logits: np.ndarray, labels: Sequence[int]) -> float:
    """Share of rows whose largest logit is at the label; 0.0 for no rows."""
    truth = np.asarray(labels)
    return float((logits.argmax(axis=1) == truth).mean()) if len(truth) else 0.0


def accuracy(model_dir: Path, dataset: Any, max_tokens: int, *, progress: Progress | None = None) -> float:
    """Share of rows labelled right, in f32, texts cut to max_tokens.

    Args:
        model_dir: folder with model and tokenizer.
        dataset: columns ``text`` and ``label``.
        max_tokens: tokens kept of each text, special tokens included.
        progress: reports the rows done.
    """
    return share_right(predictions(model_dir, dataset, max_tokens, progress=progress).logits, dataset["label"])
