"""The rows on which exports are compared with PyTorch, and what PyTorch answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

_ROWS = 32


def has_pairs(dataset: Any) -> bool:
    return "text_pair" in getattr(dataset, "column_names", dataset)


def token_ids(
    model_dir: Path, texts: list[str], second: list[str] | None, max_tokens: int
) -> tuple[list[list[int]], list[list[int]] | None]:
    """Token ids, and of pairs token types, by the Hugging Face tokenizer."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(model_dir))
    more = () if second is None else (second,)
    encoded = tokenizer(texts, *more, truncation=True, max_length=max_tokens, return_attention_mask=False)
    types = None if second is None else [list(row) for row in encoded["token_type_ids"]]
    return [list(row) for row in encoded["input_ids"]], types


def word_ids(model_dir: Path, texts: list[list[str]], max_tokens: int) -> tuple[list[list[int]], None, list[Any]]:
    """Token ids of rows of words by the Hugging Face tokenizer, and where the words are."""
    from transformers import AutoTokenizer

    from potstill.models.words import encode_words

    ids, words = encode_words(AutoTokenizer.from_pretrained(str(model_dir)), texts, max_tokens)
    return [row.tolist() for row in ids], None, words


def words_read(ids: Sequence[int], words: Sequence[int]) -> tuple[list[int], list[int]]:
    return list(ids), [int(place) for place in words if place >= 0]


def halves(batch: Sequence[Sequence[int]], types: Any) -> list[list[int]] | None:
    """Token types of made-up rows: the second half is the second text; None where `types`, the real ones, are."""
    if types is None:
        return None
    return [[int(place >= len(row) // 2) for place in range(len(row))] for row in batch]


def grid_of(
    ids: Sequence[Sequence[int]], model: Any, lengths: Iterable[int], batches: Sequence[int]
) -> list[list[list[int]]]:
    """Ragged batches of random and of real ids; the first row has the full length, the others are shorter."""
    import numpy as np

    config = model.config.backbone_config() if hasattr(model.config, "backbone_config") else model.config
    generator = np.random.default_rng(20)
    special = set(_padding(config))
    allowed = np.array([token for token in range(config.vocab_size) if token not in special])
    # All test texts end to end: a real stretch of any length.
    stream = [token for row in ids for token in row[1:-1]]
    first, last = ids[0][0], ids[0][-1]
    found = []
    for length in lengths:
        for batch in batches:
            sizes = [length, *(int(generator.integers(1, length + 1)) for _ in range(batch - 1))]
            found.append([generator.choice(allowed, size).tolist() for size in sizes])
            if length >= 3 and len(stream) >= length:
                rows = []
                for size in [max(size, 3) for size in sizes]:
                    start = int(generator.integers(0, len(stream) - size + 3))
                    rows.append([first, *stream[start : start + size - 2], last])
                found.append(rows)
    return found


def _padding(config: Any) -> list[int]:
    """The padding id: RoBERTa's own code takes it for a gap wherever it stands, so no real row may hold it."""
    pad = getattr(config, "pad_token_id", None)
    return [] if pad is None else [int(pad)]


def by_length(ids: Sequence[Sequence[int]]) -> list[list[int]]:
    order = sorted(range(len(ids)), key=lambda index: -len(ids[index]))
    return [order[start : start + _ROWS] for start in range(0, len(order), _ROWS)]


def reference(model: Any, ids: Sequence[Sequence[int]], types: Any = None, task: Any = None) -> Any:
    """PyTorch's `Outputs`, in the order of `ids`; of a model that labels words of all their tokens."""
    import numpy as np
    import torch

    from potstill.models.evaluation import Outputs

    config = model.config.backbone_config() if hasattr(model.config, "backbone_config") else model.config
    fill = (_padding(config) or [0])[0]
    logits: list[Any] = [None] * len(ids)
    pooled: list[Any] = [None] * len(ids)
    for group in by_length(ids):
        padded = torch.full((len(group), len(ids[group[0]])), fill, dtype=torch.int64)
        mask = torch.zeros_like(padded)
        for row, index in enumerate(group):
            padded[row, : len(ids[index])] = torch.tensor(list(ids[index]))
            mask[row, : len(ids[index])] = 1
        more = {}
        if types is not None:
            more["token_type_ids"] = torch.zeros_like(padded)
            for row, index in enumerate(group):
                more["token_type_ids"][row, : len(types[index])] = torch.tensor(list(types[index]))
        with torch.inference_mode():
            output = model(input_ids=padded, attention_mask=mask, **more)
        for row, index in enumerate(group):
            if output.logits.ndim == 3:
                logits[index] = output.logits[row, : len(ids[index])].numpy()
                pooled[index] = logits[index][:, :0]
            else:
                logits[index], pooled[index] = (
                    output.logits[row : row + 1].numpy(),
                    output.pooled[row : row + 1].numpy(),
                )
        if task is not None:
            task.advance(len(group), note="PyTorch")
    return Outputs(np.concatenate(logits), np.concatenate(pooled))


def at_words_of(found: Any, ids: Sequence[Sequence[int]], words: Sequence[Any] | None) -> Any:
    """`Outputs` of all tokens at the words' first pieces; as they are for a model that labels texts."""
    import numpy as np

    from potstill.models.evaluation import Outputs
    from potstill.models.words import at_words

    if words is None:
        return found
    ends = np.cumsum([len(row) for row in ids])
    parts = [at_words(found.logits[end - len(row) : end], at) for end, row, at in zip(ends, ids, words, strict=True)]
    logits = np.concatenate(parts)
    return Outputs(logits, logits[:, :0])
