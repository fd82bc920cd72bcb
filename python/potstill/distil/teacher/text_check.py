"""What a teacher's tokenizer makes of the texts: unknown words, texts that are cut. Said before anything is trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from potstill.models.text_facts import sample
from potstill.models.token_counts import TokenCounts, count_tokens

if TYPE_CHECKING:
    from potstill.data.splits import Splits

# Share of tokens, or of characters, that the teacher does not know: its vectors say nothing of them.
UNKNOWN = 0.05
# Share of the letters from which a script is looked at by itself, and share of its letters that may be strange.
_SCRIPT, _STRANGE = 0.01, 0.5
# Tokens a letter from which a tokenizer spells a script instead of reading it. BERT's English one takes 0.95 to 1.00
# for Russian, Greek, Arabic, Hebrew and Hindi, where XLM-R's takes 0.26 to 0.47; letters that are syllables or words
# take up to 1, and English BERT 1.25 for Korean.
_SPELT, _SYLLABLES_SPELT = 0.9, 1.1
_SYLLABLES = ("Han", "Hangul", "Hiragana", "Katakana", "Ethiopic", "Yi")
# Share of texts that lose their end.
CUT = 0.01
# A limit that leaves so many texts whole is named.
_WHOLE = 95
# The largest data.max_tokens.
_MOST = 8192


def examine_texts(tokenizer: Any, splits: Splits, max_tokens: int) -> list[str]:
    """Sentences on tokens, characters and scripts that the tokenizer does not know, and on texts over ``max_tokens``.

    Args:
        tokenizer: the teacher's.
        splits: ``train`` has the column ``text`` (texts, or lists of words) and perhaps ``text_pair``.
        max_tokens: ``data.max_tokens``.
    """
    train = splits.train
    names = getattr(train, "column_names", train)
    first, more = (
        count_tokens(tokenizer, sample(train[name]) if name in names else []) for name in ("text", "text_pair")
    )
    if not first:
        return []
    known = [*first, *more]
    special = tokenizer.num_special_tokens_to_add(pair=bool(more))
    lengths = np.array([row.tokens for row in first]) + special
    if more:
        lengths = lengths + np.array([row.tokens for row in more])
    return [*(foreign_scripts(known) or _unknown(known)), *_cut(lengths, max_tokens, _most_tokens(tokenizer))]


def foreign_scripts(counts: Sequence[TokenCounts]) -> list[str]:
    """A sentence on each script of which the tokenizer knows single letters at best.

    Args:
        counts: of the texts.
    """
    letters, read, strange = (
        sum((getattr(row, name) for row in counts), Counter[str]()) for name in ("letters", "read", "strange")
    )
    notes = []
    for script, count in letters.most_common():
        if count < _SCRIPT * letters.total():
            break
        lost, tokens = strange[script] / count, read[script] / count
        if lost > _STRANGE:
            seen = f"{100 * lost:.0f} % of its letters are unknown tokens or single bytes"
        elif tokens > (_SYLLABLES_SPELT if script in _SYLLABLES else _SPELT):
            seen = f"it takes {tokens:.2f} tokens a letter"
        else:
            continue
        notes.append(
            f"{_share(count, letters.total())} of the letters of the training texts are {script}, which is foreign to "
            f"the teacher's tokenizer: {seen}; take a teacher that was trained on that script"
        )
    return notes


def _unknown(counts: Sequence[TokenCounts]) -> list[str]:
    tokens, unknown = sum(row.tokens for row in counts), sum(row.unknown for row in counts)
    characters, lost = sum(row.characters for row in counts), sum(row.lost for row in counts)
    if not tokens or (unknown <= UNKNOWN * tokens and lost <= UNKNOWN * characters):
        return []
    example = next((row.example for row in counts if row.lost), "")
    return [
        f"the teacher's tokenizer does not know {_share(unknown, tokens)} of the tokens ({_share(lost, characters)}"
        f" of the characters) of the training texts, for example {example!r}: the model cannot tell them apart; "
        "take a teacher for the language and script of the texts"
    ]


def _cut(lengths: np.ndarray, max_tokens: int, most: int) -> list[str]:
    """On texts over the limit; ``most``: the longest that a recipe and the tokenizer allow."""
    cut = int((lengths > max_tokens).sum())
    if cut <= CUT * len(lengths):
        return []
    enough = int(np.percentile(lengths, _WHOLE, method="higher"))
    advice = f"data.max_tokens = {enough} would leave {_WHOLE} of 100 whole"
    if most <= max_tokens:
        advice = "the teacher takes no longer ones: cut the texts where what matters ends, or into several rows"
    elif enough > most:
        whole = int(100 * (lengths <= most).mean())
        advice = f"data.max_tokens = {most}, the most that the teacher takes, would leave {whole} of 100 whole"
    return [
        f"{_share(cut, len(lengths))} of the training texts are longer than data.max_tokens = {max_tokens} and "
        f"lose their end (the longest has {int(lengths.max()):,} tokens); {advice}"
    ]


def _most_tokens(tokenizer: Any) -> int:
    """The longest text that a recipe and the tokenizer allow."""
    stated = int(min(getattr(tokenizer, "model_max_length", 0) or 0, _MOST))
    return stated or _MOST


def _share(part: int, whole: int) -> str:
    return f"{100 * part / max(1, whole):.0f} %"
