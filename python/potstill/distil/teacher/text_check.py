"""What a teacher's tokenizer makes of the texts: unknown words, texts that are cut. Said before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from potstill.data.splits import Splits

# Texts looked at, evenly spread over the training rows.
_SAMPLE = 2000
# Share of tokens, or of characters, that the teacher does not know: its vectors say nothing of them.
UNKNOWN = 0.05
# Share of texts that lose their end.
CUT = 0.01
# A limit that leaves so many texts whole is named.
_WHOLE = 95
# The largest data.max_tokens.
_MOST = 8192


def examine_texts(tokenizer: Any, splits: Splits, max_tokens: int) -> list[str]:
    """Sentences on tokens and characters that the tokenizer does not know, and on texts over ``max_tokens``.

    Args:
        tokenizer: the teacher's.
        splits: ``train`` has the column ``text`` (texts, or lists of words) and perhaps ``text_pair``.
        max_tokens: ``data.max_tokens``.
    """
    train = splits.train
    step = max(1, -(-len(train) // _SAMPLE))
    names = getattr(train, "column_names", train)
    columns = [list(train[name])[::step] for name in ("text", "text_pair") if name in names]
    if not columns[0]:
        return []
    first, more = _read(tokenizer, columns[0]), _read(tokenizer, columns[1] if len(columns) > 1 else [])
    known = [*first, *more]
    tokens = sum(row.tokens for row in known)
    unknown = sum(row.unknown for row in known)
    characters, lost = sum(row.characters for row in known), sum(row.lost for row in known)
    notes = []
    if tokens and (unknown > UNKNOWN * tokens or lost > UNKNOWN * characters):
        example = next((row.example for row in known if row.example), "")
        notes.append(
            f"the teacher's tokenizer does not know {_share(unknown, tokens)} of the tokens ({_share(lost, characters)}"
            f" of the characters) of the training texts, for example {example!r}: the model cannot tell them apart; "
            "take a teacher for the language and script of the texts"
        )
    special = tokenizer.num_special_tokens_to_add(pair=bool(more))
    lengths = np.array([row.tokens for row in first]) + special
    if more:
        lengths = lengths + np.array([row.tokens for row in more])
    cut = int((lengths > max_tokens).sum())
    if cut > CUT * len(lengths):
        enough = int(np.percentile(lengths, _WHOLE, method="higher"))
        most = _most_tokens(tokenizer)
        advice = f"data.max_tokens = {enough} would leave {_WHOLE} of 100 whole"
        if most <= max_tokens:
            advice = "the teacher takes no longer ones: cut the texts where what matters ends, or into several rows"
        elif enough > most:
            whole = int(100 * (lengths <= most).mean())
            advice = f"data.max_tokens = {most}, the most that the teacher takes, would leave {whole} of 100 whole"
        notes.append(
            f"{_share(cut, len(lengths))} of the training texts are longer than data.max_tokens = {max_tokens} and "
            f"lose their end (the longest has {int(lengths.max()):,} tokens); {advice}"
        )
    return notes


def _most_tokens(tokenizer: Any) -> int:
    """The longest text that a recipe and the tokenizer allow."""
    stated = int(min(getattr(tokenizer, "model_max_length", 0) or 0, _MOST))
    return stated or _MOST


class _Row:
    """Counts of one text."""

    __slots__ = ("characters", "example", "lost", "tokens", "unknown")

    def __init__(self, text: str, ids: Sequence[int], offsets: Sequence[tuple[int, int]], unknown: int | None) -> None:
        self.tokens = len(ids)
        self.characters = sum(not mark.isspace() for mark in text)
        strange = [text[start:end] for token, (start, end) in zip(ids, offsets, strict=True) if token == unknown]
        self.unknown, self.lost = len(strange), sum(map(len, strange))
        self.example = strange[0][:40] if strange else ""


def _read(tokenizer: Any, texts: Sequence[Any]) -> list[_Row]:
    """The texts in tokens, without special ones and without a limit; words are read one after another."""
    if not texts:
        return []
    plain = [text if isinstance(text, str) else " ".join(text) for text in texts]
    # Only tokenizers in Rust know the place of a token; for others, too, unknown tokens are counted.
    placed = bool(getattr(tokenizer, "is_fast", False))
    found = tokenizer(
        plain, add_special_tokens=False, truncation=False, return_offsets_mapping=placed, verbose=False
    )  # fmt: skip
    places = found["offset_mapping"] if placed else [[(0, 0)] * len(ids) for ids in found["input_ids"]]
    rows = zip(plain, found["input_ids"], places, strict=True)
    return [_Row(text, ids, offsets, tokenizer.unk_token_id) for text, ids, offsets in rows]


def _share(part: int, whole: int) -> str:
    return f"{100 * part / max(1, whole):.0f} %"
