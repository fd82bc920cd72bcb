"""Generator of cpp/src/tokenizer/unicode_tables.inc: the Unicode behaviour of Hugging Face `tokenizers`.

The tables are not taken from a Unicode release: `tokenizers` mixes several (the category tests of one crate are far
older than the decompositions of another), so every code point is sent through its normalizers and pre-tokenizer and
the result is recorded. Run it as ``python -m potstill.compile.tokenizers.unicode_tables FILE``; a test makes it again
and compares.

Shape of the result: a two-stage table code point -> class (blocks of 128, equal blocks shared), a class list
(flags, canonical combining class), and three mappings (full canonical decomposition, lower case, in ascending order of
the code point). Hangul syllables are decomposed by formula (Unicode standard, section 3.12) and are in no mapping.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Bits of a class's flags; the C++ side has the same names.
CONTROL = 1  # clean_text removes it
WHITESPACE = 2  # ends a word
PUNCTUATION = 4  # is a word of its own
CHINESE = 8  # is a word of its own under handle_chinese_chars
MARK = 16  # strip_accents removes it
DECOMPOSES = 32  # has a canonical decomposition (Hangul syllables too)
LOWERS = 64  # lower case differs from itself

BLOCK_BITS = 7
_SEPARATOR = "0"  # a starter that nothing decomposes to or lowers to
_HANGUL = range(0xAC00, 0xAC00 + 11172)
_SURROGATES = range(0xD800, 0xE000)


@dataclass(frozen=True)
class UnicodeTables:
    """What the generator found. `classes[i]` is (flags, combining class); `class_of[cp]` an index into it."""

    class_of: list[int]
    classes: list[tuple[int, int]]
    decompositions: dict[int, str]
    lower: dict[int, str]


def _bert(**on: bool) -> Any:
    from tokenizers.normalizers import BertNormalizer

    return BertNormalizer(
        **{"clean_text": False, "handle_chinese_chars": False, "strip_accents": False, "lowercase": False, **on}
    )


def _map_all(normalizer: Any, texts: Sequence[str]) -> list[str]:
    """`normalizer` on every text, many in one call: separators keep them apart (a starter none of them changes).

    A call takes 4,096 texts, which keeps its memory (about 100 bytes a character) inside the cache.
    """
    results: list[str] = []
    for start in range(0, len(texts), 4096):
        results += normalizer.normalize_str(_SEPARATOR.join(texts[start : start + 4096])).split(_SEPARATOR)
    if len(results) != len(texts):
        raise RuntimeError("a normalizer produced or removed the separator; choose another separator")
    return results


def _combining_classes(points: Sequence[int]) -> dict[int, int]:
    """Canonical combining class of every code point where it is not 0, seen only through what NFD reorders.

    X before R is swapped exactly when class(X) > class(R) > 0, so the two outermost classes (1 and 240) find the
    non-starters, and the class whose member swaps with X in neither order is X's own.
    """
    import unicodedata

    from tokenizers.normalizers import NFD

    nfd = NFD()
    low, high = "\u0334", "\u0345"  # classes 1 and 240, the lowest and the highest
    after_low = _map_all(nfd, [chr(p) + low for p in points])
    before_high = _map_all(nfd, [high + chr(p) for p in points])
    own = _map_all(nfd, [chr(p) for p in points])
    candidates = [
        p
        for p, a, b, o in zip(points, after_low, before_high, own, strict=True)
        if o == chr(p) and (a == low + o or b == o + high)
    ]
    references: dict[int, str] = {}
    for p in candidates:  # one member of each class, by Python's tables; checked below through NFD itself
        references.setdefault(unicodedata.combining(chr(p)), chr(p))
    references.pop(0, None)
    ordered = [references[c] for c in sorted(references)]
    for a, b in itertools.pairwise(ordered):
        if nfd.normalize_str("0" + b + a) != "0" + a + b:
            raise RuntimeError(f"combining classes of U+{ord(a):04X} and U+{ord(b):04X} are not in the expected order")
    classes = {}
    for p in candidates:
        x = chr(p)
        equal = [
            c
            for c, r in references.items()
            if nfd.normalize_str("0" + x + r) == "0" + x + r and nfd.normalize_str("0" + r + x) == "0" + r + x
        ]
        if len(equal) != 1:
            raise RuntimeError(f"no single combining class for U+{p:04X}: {equal}")
        classes[p] = equal[0]
    return classes


def _split_points(chars: Sequence[str]) -> tuple[set[int], set[int]]:
    """Indices of the white space and of the punctuation, as BertPreTokenizer sees them.

    In 0x0y0z0 a white-space character is in no piece and a punctuation character is a piece of its own.
    """
    from tokenizers.pre_tokenizers import BertPreTokenizer

    split = BertPreTokenizer()
    space, alone = set(), set()
    for first in range(0, len(chars), 4096):
        part = chars[first : first + 4096]
        text = "0" + "0".join(part) + "0"
        kept = bytearray(len(text))
        for _, (start, end) in split.pre_tokenize_str(text):
            kept[start:end] = b"\1" * (end - start)
            if end - start == 1 and start % 2 == 1:
                alone.add(first + start // 2)
        space |= {first + i for i in range(len(part)) if not kept[2 * i + 1]}
    return space, alone


def probe() -> UnicodeTables:
    """Ask the installed `tokenizers` about every code point (some seconds).

    Raises:
        RuntimeError: its behaviour no longer has the shape the C++ tables can express.
    """
    from tokenizers.normalizers import NFD

    points = [p for p in range(0x110000) if p not in _SURROGATES and p != ord(_SEPARATOR)]
    chars = [chr(p) for p in points]
    clean = _map_all(_bert(clean_text=True), chars)
    chinese = _map_all(_bert(handle_chinese_chars=True), chars)
    stripped = _map_all(_bert(strip_accents=True), chars)
    lowered = _map_all(_bert(lowercase=True), chars)
    decomposed = _map_all(NFD(), chars)
    combining = _combining_classes(points)

    space, alone = _split_points(chars)

    flags = [0] * 0x110000
    decompositions: dict[int, str] = {}
    lower: dict[int, str] = {}
    for i, (p, c) in enumerate(zip(points, chars, strict=True)):
        flag = 0
        if clean[i] == "":
            flag |= CONTROL
        elif clean[i] != (" " if i in space else c):
            raise RuntimeError(f"clean_text turns U+{p:04X} into {clean[i]!r}")
        if i in space:
            flag |= WHITESPACE
        if i in alone:
            flag |= PUNCTUATION
        if chinese[i] != c:
            if chinese[i] != f" {c} ":
                raise RuntimeError(f"handle_chinese_chars turns U+{p:04X} into {chinese[i]!r}")
            flag |= CHINESE
        if decomposed[i] != c:
            flag |= DECOMPOSES
            if p in _HANGUL:
                if decomposed[i] != hangul(p):
                    raise RuntimeError(f"U+{p:04X} does not decompose by the Hangul formula")
            else:
                decompositions[p] = decomposed[i]
        elif stripped[i] == "":
            flag |= MARK
        if lowered[i] != c:
            flag |= LOWERS
            lower[p] = lowered[i]
        flags[p] = flag
    for i, p in enumerate(points):
        expected = "".join(c for c in decomposed[i] if not flags[ord(c)] & MARK)
        if stripped[i] != expected:
            raise RuntimeError(f"strip_accents turns U+{p:04X} into {stripped[i]!r}, not {expected!r}")
    classes: dict[tuple[int, int], int] = {(0, 0): 0}
    class_of = [classes.setdefault((flags[p], combining.get(p, 0)), len(classes)) for p in range(0x110000)]
    return UnicodeTables(class_of, list(classes), decompositions, lower)


def hangul(point: int) -> str:
    """Canonical decomposition of a Hangul syllable (Unicode standard, section 3.12)."""
    index = point - 0xAC00
    lead, rest = divmod(index, 588)
    vowel, tail = divmod(rest, 28)
    return chr(0x1100 + lead) + chr(0x1161 + vowel) + (chr(0x11A7 + tail) if tail else "")


def _array(kind: str, name: str, values: Iterable[int]) -> list[str]:
    lines = [f"constexpr {kind} {name}[] = {{"]
    line = ""
    for value in values:
        word = f"{value},"
        if len(line) + len(word) > 118:
            lines.append(line)
            line = ""
        line += word
    return [*lines, line, "};"]


def _mapping(name: str, mapping: dict[int, str]) -> list[str]:
    """Keys ascending; the text of key i is pool[ends[i - 1] : ends[i]] (ends[-1] = 0)."""
    keys = sorted(mapping)
    ends, pool = [], []
    for key in keys:
        pool += [ord(c) for c in mapping[key]]
        ends.append(len(pool))
    return [
        *_array("std::uint32_t", f"k{name}Keys", keys),
        *_array("std::uint16_t", f"k{name}Ends", ends),
        *_array("std::uint32_t", f"k{name}Pool", pool),
    ]


def render(tables: UnicodeTables, version: str) -> str:
    """The C++ text of the tables; `version` is that of `tokenizers` and is only mentioned in a comment."""
    size = 1 << BLOCK_BITS
    blocks: dict[tuple[int, ...], int] = {}
    index = [
        blocks.setdefault(tuple(tables.class_of[start : start + size]), len(blocks))
        for start in range(0, 0x110000, size)
    ]
    while len(index) > 1 and index[-1] == index[-2]:  # the tail is one repeated block: stored once
        index.pop()
    lines = [
        "// Generated by potstill.compile.tokenizers.unicode_tables; do not edit.",
        f"// Recorded from the behaviour of tokenizers {version}.",
        f"constexpr unsigned kBlockBits = {BLOCK_BITS};",
        *_array("Class", "kClasses", ()),
        *_array("std::uint16_t" if len(blocks) > 256 else "std::uint8_t", "kBlockIndex", index),
        *_array("std::uint8_t", "kBlocks", (c for block in blocks for c in block)),
        *_mapping("Decomposition", tables.decompositions),
        *_mapping("Lower", tables.lower),
    ]
    start = lines.index("constexpr Class kClasses[] = {")
    lines[start + 1 : start + 2] = [f"    {{{flags}, {combining}}}," for flags, combining in tables.classes]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str]) -> int:
    import tokenizers

    if len(arguments) != 1:
        print("usage: python -m potstill.compile.tokenizers.unicode_tables FILE", file=sys.stderr)
        return 2
    Path(arguments[0]).write_text(render(probe(), tokenizers.__version__), encoding="ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
