"""The categories of characters that grapheme clusters are made by, as the Precompiled normalizer of `tokenizers` has
them.

It gives a cluster under 6 bytes the value of the shortest key that the cluster begins with, so a key that is one
character, followed by a mark, shows whether a cluster begins with that character: the mark is gone if it does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from potstill.data.charsmap import charsmap

# As in cpp/src/tokenizer/graphemes.h. Regional indicators are OTHER: a pair of them is 8 bytes, so neither it nor what
# follows it is ever looked up as a cluster.
OTHER, CONTROL, CR, LF, EXTEND, JOINED_EXTEND, LINKER, ZWJ, SPACING_MARK, PREPEND, PICTOGRAPHIC, CONSONANT = range(12)
LEAD, VOWEL, TAIL, SYLLABLE = range(12, 16)

_MARK, _HAT, _ZWJ, _PICTOGRAPH = "\u0301", "\u0302", "\u200d", "\xa9"
_KA, _VIRAMA = "\u0915", "\u094d"
_SEPARATOR = "\n"  # a boundary on both sides, but for U+000D before it


def categories(chars: Sequence[str]) -> dict[int, int]:
    """The category of each character where it is not OTHER.

    Raises:
        RuntimeError: they take part in clusters in a way that these categories do not express.
    """
    extends = {c for c in _unusual(chars, "a{}", "a") if c not in "\r\n"}
    others = [c for c in chars if c not in extends]
    prepend = _unusual(others, "{}a" + _MARK, "a")
    vowel_joins, tail_joins = (_unusual(others, "{}" + jamo + _MARK, jamo) - prepend for jamo in ("\u1161", "\u11a8"))
    syllables = {chr(p) for p in range(0xAC00, 0xAC00 + 11172)}
    if syllables - tail_joins or {c for c in syllables if (c in vowel_joins) != _is_open(c)}:
        raise RuntimeError("Hangul syllables join in a new way")
    members = {
        CONTROL: _unusual(others, "{}" + _HAT + _MARK, _HAT) - {"\r", "\n"},
        PREPEND: prepend,
        PICTOGRAPHIC: _unusual(others, "{}" + _ZWJ + _PICTOGRAPH + _MARK, _PICTOGRAPH) - prepend,
        CONSONANT: _unusual(others, "{}" + _VIRAMA + _KA + _MARK, _KA) - prepend,
        LEAD: vowel_joins - tail_joins - syllables,
        VOWEL: (vowel_joins & tail_joins) - syllables,
        TAIL: tail_joins - vowel_joins - syllables,
        SYLLABLE: syllables,
        **_extending(sorted(extends)),
    }
    found: dict[int, int] = {ord("\r"): CR, ord("\n"): LF}
    for category, points in members.items():
        for c in points:
            if found.setdefault(ord(c), category) != category:
                raise RuntimeError(f"{c!a} has the grapheme categories {found[ord(c)]} and {category}")
    return found


def _extending(extends: Sequence[str]) -> dict[int, set[str]]:
    """What joins the character before it, by how it takes part in emoji and in conjuncts of Indic scripts."""
    joiner = _unusual(extends, _PICTOGRAPH + "{}" + _PICTOGRAPH + _MARK, _PICTOGRAPH)
    plain = _unusual(extends, _PICTOGRAPH + "{}" + _ZWJ + _PICTOGRAPH + _MARK, _PICTOGRAPH)
    linker = _unusual(extends, _KA + "{}" + _KA + _MARK, _KA)
    within = _unusual(extends, _KA + "{}" + _VIRAMA + _KA + _MARK, _KA)
    if joiner != {_ZWJ} or _ZWJ not in within or not linker <= plain or not linker <= within <= plain | joiner:
        raise RuntimeError("grapheme categories overlap in a new way")
    return {
        ZWJ: joiner,
        LINKER: linker,
        JOINED_EXTEND: within - linker - joiner,
        EXTEND: plain - within,
        SPACING_MARK: set(extends) - plain - joiner,
    }


def _is_open(syllable: str) -> bool:
    """Whether it ends in its vowel."""
    return (ord(syllable) - 0xAC00) % 28 == 0


def _unusual(chars: Sequence[str], context: str, key: str) -> set[str]:
    """The characters in whose context ({} stands for it) there is no boundary at the last `key`, but one in that of
    U+4E00, or the other way round. Where the context ends with the character, that boundary is meant.

    Most stretches of 1,024 characters hold none; they are seen to be as U+4E00 is, together.
    """
    from tokenizers.normalizers import Precompiled

    normalizer: Any = Precompiled(charsmap({key: "x"}))
    head, tail = context.split("{}")

    def joins(c: str) -> bool:
        out = normalizer.normalize_str(head + c + tail)
        return bool(out.endswith(_MARK) if tail else out == "x")

    usual_head, usual_tail = normalizer.normalize_str(head + "\u4e00" + tail).split("\u4e00")
    usually = joins("\u4e00")
    found = set()
    for start in range(0, len(chars), 1024):
        part = chars[start : start + 1024]
        usual = usual_head + (usual_tail + _SEPARATOR + usual_head).join(part) + usual_tail
        if normalizer.normalize_str(head + (tail + _SEPARATOR + head).join(part) + tail) != usual:
            found |= {c for c in part if joins(c) != usually}
    return found
