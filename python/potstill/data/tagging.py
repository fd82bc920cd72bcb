"""How tags spell entities: the schemes of CoNLL files, told by the tags themselves and by what follows what.

BIO2 begins every entity with ``B-``; IOB1 (Ramshaw and Marcus, 1995) with ``I-``, and ``B-`` only where two of a type
touch; BIOES and BILOU (Ratinov and Roth, 2009) also mark its end and entities of one word, BMES writes M for I.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from potstill.runtime.spans import SAME, SCHEMES, entities, looks_like_tags

__all__ = ["SCHEMES", "broken", "entities", "looks_like_tags", "nearly", "scheme"]

_NEARLY = re.compile(r"[BIESLUMW][-_:./|].+|.+[-_:./|][BIESLUMW]", re.IGNORECASE)


def nearly(names: Iterable[str]) -> list[str]:
    """Where most names spell entities, but not all, or not as `looks_like_tags` knows it: those that do not."""
    kinds = [name for name in names if name != "O"]
    alike = [name for name in kinds if _NEARLY.fullmatch(name)]
    if looks_like_tags(kinds) or 3 * len(alike) < 2 * len(kinds) or not alike:
        return []
    return [name for name in kinds if len(name) < 3 or name[1] != "-" or not looks_like_tags([name])] or kinds


def scheme(rows: Iterable[Sequence[str]]) -> str | None:
    """The scheme of tags that spell entities: a name of `SCHEMES`, or BIO2, IOB1, IO instead of BIO; None for others.

    Args:
        rows: the tags of each sentence.
    """
    held = [list(row) for row in rows]
    names = {tag for row in held for tag in row}
    if not looks_like_tags(names):
        return None
    marks = {name[0] for name in names if name != "O"}
    found = next(name for name, known in SCHEMES.items() if marks <= set(known))
    if found != "BIO":
        return found
    if "B" not in marks:
        return "IO"
    inside = begins = touching = 0
    for row in held:
        for before, tag in zip(["O", *row], row, strict=False):
            goes_on = before != "O" and before[2:] == tag[2:]
            inside += tag[0] == "I" and not goes_on
            begins += tag[0] == "B"
            touching += tag[0] == "B" and goes_on
    return "IOB1" if inside and touching == begins else "BIO2"


def broken(rows: Iterable[Sequence[str]], scheme: str) -> int:
    """Places where tags break their scheme: an inside or an end that goes on nothing, a beginning without an end."""
    if scheme in ("IO", "IOB1"):
        return 0
    count = 0
    for row in rows:
        marks = [("O", ""), *((SAME.get(tag[0], tag[0]), tag[2:]) for tag in row), ("O", "")]
        for (mark, kind), (after, next_kind) in pairwise(marks):
            begun, goes_on = mark in ("B", "I"), after in ("I", "E")
            stray = goes_on and not (begun and kind == next_kind)
            unfinished = begun and not goes_on and scheme != "BIO2"
            count += stray or unfinished
    return count
