"""The rows on which exports are compared with PyTorch, and what PyTorch answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from potstill.runtime.rows import TokenRows

# Rows of a batch.
ROWS = 32


def has_pairs(dataset: Any) -> bool:
    return "text_pair" in getattr(dataset, "column_names", dataset)


def token_rows(model_dir: Path, texts: list[str], second: list[str] | None, max_tokens: int) -> TokenRows:
    """Token rows, of pairs with their types, by the Hugging Face tokenizer."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(model_dir))
    more = () if second is None else (second,)
    encoded = tokenizer(texts, *more, truncation=True, max_length=max_tokens, return_attention_mask=False)
    types = None if second is None else [list(row) for row in encoded["token_type_ids"]]
    return TokenRows([list(row) for row in encoded["input_ids"]], types)


def word_rows(model_dir: Path, texts: list[list[str]], max_tokens: int) -> TokenRows:
    """Token rows of rows of words by the Hugging Face tokenizer, and where the words are."""
    from transformers import AutoTokenizer

    from potstill.models.words import encode_words

    ids, words = encode_words(AutoTokenizer.from_pretrained(str(model_dir)), texts, max_tokens)
    return TokenRows([row.tolist() for row in ids], words=words)


def words_read(rows: TokenRows) -> list[tuple[list[int], list[int]]]:
    """Ids of each row and places of the words that were not cut off."""
    return [
        (list(ids), [int(place) for place in words if place >= 0])
        for ids, words in zip(rows.ids, rows.words or (), strict=True)
    ]


def grid_of(rows: TokenRows, model: Any, lengths: Iterable[int], batches: Sequence[int]) -> list[TokenRows]:
    """Ragged batches of random and of real ids; the first row has the full length, the others are shorter.

    The second half of a row is the second text, where `rows` have types.
    """
    import numpy as np

    config = model.config.backbone_config() if hasattr(model.config, "backbone_config") else model.config
    generator = np.random.default_rng(20)
    special = set(_padding(config))
    allowed = np.array([token for token in range(config.vocab_size) if token not in special])
    # All test texts end to end: a real stretch of any length.
    stream = [token for row in rows.ids for token in row[1:-1]]
    first, last = rows.ids[0][0], rows.ids[0][-1]
    found = []
    for length in lengths:
        for batch in batches:
            sizes = [length, *(int(generator.integers(1, length + 1)) for _ in range(batch - 1))]
            found.append([generator.choice(allowed, size).tolist() for size in sizes])
            if length >= 3 and len(stream) >= length:
                real = []
                for size in [max(size, 3) for size in sizes]:
                    start = int(generator.integers(0, len(stream) - size + 3))
                    real.append([first, *stream[start : start + size - 2], last])
                found.append(real)
    return [TokenRows(ids, None if rows.types is None else _halves(ids)) for ids in found]


def _halves(ids: list[list[int]]) -> list[list[int]]:
    return [[int(place >= len(row) // 2) for place in range(len(row))] for row in ids]


def _padding(config: Any) -> list[int]:
    """The padding id: RoBERTa's own code takes it for a gap wherever it stands, so no real row may hold it."""
    pad = getattr(config, "pad_token_id", None)
    return [] if pad is None else [int(pad)]


def reference(model: Any, rows: TokenRows, task: Any = None) -> Any:
    """PyTorch's `Outputs`, in the order of the rows; of a model that labels words of all their tokens."""
    import numpy as np
    import torch

    from potstill.models.evaluation import Outputs

    config = model.config.backbone_config() if hasattr(model.config, "backbone_config") else model.config
    rows = TokenRows(rows.ids, rows.types, pad_id=(_padding(config) or [0])[0])
    logits: list[Any] = [None] * len(rows)
    pooled: list[Any] = [None] * len(rows)
    for group in rows.by_length(ROWS):
        batch = rows.take(group)
        with torch.inference_mode():
            output = model(**{name: torch.from_numpy(array) for name, array in batch.padded().items()})
        for place, (row, length) in enumerate(zip(group, batch.lengths, strict=True)):
            if output.logits.ndim == 3:
                logits[row] = output.logits[place, :length].numpy()
                pooled[row] = logits[row][:, :0]
            else:
                logits[row] = output.logits[place : place + 1].numpy()
                pooled[row] = output.pooled[place : place + 1].numpy()
        if task is not None:
            task.advance(len(group), note="PyTorch")
    return Outputs(np.concatenate(logits), np.concatenate(pooled))


def at_words_of(found: Any, rows: TokenRows) -> Any:
    """`Outputs` of all tokens at the words' first pieces; as they are for a model that labels texts."""
    import numpy as np

    from potstill.models.evaluation import Outputs
    from potstill.models.words import at_words

    if rows.words is None:
        return found
    ends = np.cumsum(rows.lengths)
    starts = ends - rows.lengths
    parts = [at_words(found.logits[a:b], np.asarray(at)) for a, b, at in zip(starts, ends, rows.words, strict=True)]
    logits = np.concatenate(parts)
    return Outputs(logits, logits[:, :0])
