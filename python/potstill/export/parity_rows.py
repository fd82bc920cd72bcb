"""The rows on which exports are compared with PyTorch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from potstill.models.evaluation import Outputs
from potstill.models.words import at_words
from potstill.runtime.rows import TokenRows

# Rows of a batch.
ROWS = 32


def grid_of(rows: TokenRows, model: Any, lengths: Iterable[int], batches: Sequence[int]) -> list[TokenRows]:
    """Ragged batches of random and of real ids; the first row has the full length, the others are shorter.

    The second half of a row is the second text, where `rows` have types; each token is a word, where they have words.
    """
    config = model.config.backbone_config() if hasattr(model.config, "backbone_config") else model.config
    generator = np.random.default_rng(20)
    # The padding id: RoBERTa's own code takes it for a gap wherever it stands, so no real row may hold it.
    padding = getattr(config, "pad_token_id", None)
    allowed = np.array([token for token in range(config.vocab_size) if token != padding])
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
    return [_with_parts(ids, rows) for ids in found]


def _with_parts(ids: list[list[int]], like: TokenRows) -> TokenRows:
    types = [[int(place >= len(row) // 2) for place in range(len(row))] for row in ids]
    words = [range(len(row)) for row in ids]
    return TokenRows(ids, like.types and types, like.words and words, like.pad_id)


def words_read(rows: TokenRows) -> list[tuple[list[int], list[int]]]:
    """Ids of each row and places of the words that were not cut off."""
    return [
        (list(ids), [int(place) for place in words if place >= 0])
        for ids, words in zip(rows.ids, rows.words or (), strict=True)
    ]


def at_words_of(found: Outputs, rows: TokenRows) -> Outputs:
    """Outputs of all tokens at the words' first pieces; as they are for a model that labels texts."""
    if rows.words is None:
        return found
    ends = np.cumsum(rows.lengths)
    starts = ends - rows.lengths
    places = zip(starts, ends, rows.words, strict=True)
    logits = np.concatenate([at_words(found.logits[start:end], np.asarray(at)) for start, end, at in places])
    return Outputs(logits, logits[:, :0])
