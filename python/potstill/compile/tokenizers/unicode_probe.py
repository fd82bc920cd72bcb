"""What the installed Hugging Face `tokenizers` does with each code point: the questions behind `unicode_tables`."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from potstill.compile.tokenizers import unicode_graphemes

# Bits of a class's flags; cpp/src/tokenizer/unicode.h has the same names, with what they mean.
CONTROL = 1
WHITESPACE = 2
PUNCTUATION = 4
CHINESE = 8
MARK = 16
DECOMPOSES = 32
LOWERS = 64
LETTER = 128
NUMBER = 256
SPACE = 512
WORD_CHAR = 1024
NUMERIC = 2048
COMBINING_MARK = 4096
COMPATIBLE = 8192
UNSTABLE = 16384
LOWER_LETTER = 32768
UPPER_LETTER = 65536
ANY_MARK = 131072

SEPARATOR = "\xa3"  # POUND SIGN: has no flag, and nothing decomposes to it, composes with it or lowers to it
_RARE = "\xa3\x02\xa3"  # the same for compatibility decompositions, where U+FFE1 becomes a POUND SIGN
_HANGUL = range(0xAC00, 0xAC00 + 11172)
_SURROGATES = range(0xD800, 0xE000)


@dataclass(frozen=True)
class UnicodeTables:
    """What was found. `classes[i]` is (flags, combining class, grapheme category); `class_of[cp]` an index into it.

    `compatible` has the full compatibility decompositions of the points where it differs from the canonical one;
    `compositions` what a pair of points composes to. Hangul syllables are in no mapping.
    """

    class_of: list[int]
    classes: list[tuple[int, int, int]]
    decompositions: dict[int, str]
    compatible: dict[int, str]
    lower: dict[int, str]
    compositions: dict[str, str]


def probe() -> UnicodeTables:
    """Ask the installed `tokenizers` about every code point (some seconds).

    Raises:
        RuntimeError: its behaviour no longer has the shape that the C++ tables can express.
    """
    from tokenizers.normalizers import NFC, NFD, NFKC, NFKD

    chars = [chr(p) for p in range(0x110000) if p not in _SURROGATES and p != ord(SEPARATOR)]
    canonical, compatible = changes(NFD(), chars), changes(NFKD(), chars, _RARE)
    combining = _combining_classes(chars, canonical)
    compositions = _compositions(canonical)
    composed = changes(NFC(), chars)
    graphemes = unicode_graphemes.categories(chars)
    lower = changes(_bert(lowercase=True), chars)
    sets = _sets(chars)
    for forms, parts in ((composed, canonical), (changes(NFKC(), chars, _RARE), compatible)):
        _check_composed(forms, parts, compositions)
    _check_accents(chars, canonical, sets[MARK])

    second = {pair[1] for pair in compositions} | {chr(p) for p in (*range(0x1161, 0x1176), *range(0x11A8, 0x11C3))}
    joining = second | set(combining)
    sets[DECOMPOSES], sets[LOWERS] = set(canonical), set(lower)
    sets[COMPATIBLE] = {c for c, parts in compatible.items() if parts != canonical.get(c)}
    sets[UNSTABLE] = joining | set(composed) | {c for c, parts in canonical.items() if parts[0] in joining}
    flags = [0] * 0x110000
    for bit, members in sets.items():
        for c in members:
            flags[ord(c)] |= bit
    classes: dict[tuple[int, int, int], int] = {(0, 0, 0): 0}
    class_of = [
        classes.setdefault((flag, combining.get(chr(p), 0), graphemes.get(p, 0)), len(classes))
        for p, flag in enumerate(flags)
    ]
    return UnicodeTables(
        class_of,
        list(classes),
        {ord(c): parts for c, parts in canonical.items() if ord(c) not in _HANGUL},
        {ord(c): compatible[c] for c in sets[COMPATIBLE]},
        {ord(c): out for c, out in lower.items()},
        compositions,
    )


def hangul(point: int) -> str:
    """Canonical decomposition of a Hangul syllable (Unicode standard, section 3.12)."""
    index = point - 0xAC00
    lead, rest = divmod(index, 588)
    vowel, tail = divmod(rest, 28)
    return chr(0x1100 + lead) + chr(0x1161 + vowel) + (chr(0x11A7 + tail) if tail else "")


def changes(normalizer: Any, texts: Sequence[str], separator: str = SEPARATOR) -> dict[str, str]:
    """What becomes of the texts that change. Many go through in one call, which takes 1,024: separators keep them apart
    (starters that none of them changes), and a call that changes nothing needs no look at each.
    """
    found: dict[str, str] = {}
    for start in range(0, len(texts), 1024):
        part = texts[start : start + 1024]
        joined = separator.join(part)
        result = normalizer.normalize_str(joined)
        if result != joined:
            results = result.split(separator)
            if len(results) != len(part):
                raise RuntimeError("a normalizer produced or removed the separator; choose another separator")
            found.update((text, out) for text, out in zip(part, results, strict=True) if out != text)
    return found


def _bert(**on: bool) -> Any:
    from tokenizers.normalizers import BertNormalizer

    return BertNormalizer(
        **{"clean_text": False, "handle_chinese_chars": False, "strip_accents": False, "lowercase": False, **on}
    )


def _sets(chars: Sequence[str]) -> dict[int, set[str]]:
    """The characters of each flag that is a set of them, by the component that shows it."""
    from tokenizers import Regex
    from tokenizers import normalizers as n
    from tokenizers import pre_tokenizers as p

    def gone(normalizer: Any) -> set[str]:
        return {c for c, out in changes(normalizer, chars).items() if out == ""}

    # The regular expressions here are of the engine that Split and Replace have, Whitespace's of another.
    sets = {
        LETTER: gone(n.Replace(Regex(r"\p{L}"), "")),
        NUMBER: gone(n.Replace(Regex(r"\p{N}"), "")),
        SPACE: gone(n.Replace(Regex(r"\s"), "")),
        LOWER_LETTER: gone(n.Replace(Regex(r"\p{Ll}"), "")),
        UPPER_LETTER: gone(n.Replace(Regex(r"[\p{Lu}\p{Lt}]"), "")),
        ANY_MARK: gone(n.Replace(Regex(r"\p{M}"), "")),
        COMBINING_MARK: gone(n.StripAccents()),
        MARK: gone(_bert(strip_accents=True)),
        CHINESE: set(changes(_bert(handle_chinese_chars=True), chars)),
        NUMERIC: _pieces(p.Digits(individual_digits=True), chars)[1],
    }
    sets[WHITESPACE], sets[PUNCTUATION] = _pieces(p.BertPreTokenizer(), chars)
    spaces, sets[WORD_CHAR] = _pieces(p.Whitespace(), chars)
    stripped = {c for c in sets[WHITESPACE] | sets[SPACE] if n.Strip().normalize_str(c) == ""}
    if not spaces == stripped == sets[WHITESPACE]:
        raise RuntimeError("BertPreTokenizer, Strip and Whitespace have different white space")
    cleaned = changes(_bert(clean_text=True), chars)
    sets[CONTROL] = {c for c, out in cleaned.items() if out == ""}
    if sets[CONTROL] | sets[WHITESPACE] != set(cleaned) | {" "} or {*cleaned.values()} != {"", " "}:
        raise RuntimeError("clean_text replaces more than white space")
    return sets


def _pieces(pre_tokenizer: Any, chars: Sequence[str]) -> tuple[set[str], set[str]]:
    """The characters that are in no piece, and those that are a piece of their own, each between two separators."""
    nowhere, alone = set(), set()
    for first in range(0, len(chars), 4096):
        part = chars[first : first + 4096]
        text = SEPARATOR + SEPARATOR.join(part) + SEPARATOR
        kept = bytearray(len(text))
        for _, (start, end) in pre_tokenizer.pre_tokenize_str(text):
            kept[start:end] = b"\1" * (end - start)
            if end - start == 1 and start % 2 == 1:
                alone.add(text[start])
        nowhere |= {c for i, c in enumerate(part) if not kept[2 * i + 1]}
    return nowhere, alone


def _combining_classes(chars: Sequence[str], canonical: Mapping[str, str]) -> dict[str, int]:
    """Canonical combining class of every character where it is not 0, seen only through what NFD reorders.

    X before R is swapped exactly when class(X) > class(R) > 0, so the two outermost classes (1 and 240) find the
    non-starters, and the class whose member swaps with X in neither order is X's own.
    """
    import unicodedata

    from tokenizers.normalizers import NFD

    nfd = NFD()
    low, high = "\u0334", "\u0345"  # classes 1 and 240, the lowest and the highest
    after_low = changes(nfd, [c + low for c in chars])
    before_high = changes(nfd, [high + c for c in chars])
    candidates = [
        c
        for c in chars
        if c not in canonical and (after_low.get(c + low) == low + c or before_high.get(high + c) == c + high)
    ]
    references: dict[int, str] = {}
    for c in candidates:  # one member of each class, by Python's tables; checked below through NFD itself
        references.setdefault(unicodedata.combining(c), c)
    references.pop(0, None)
    ordered = [references[k] for k in sorted(references)]
    for a, b in itertools.pairwise(ordered):
        if nfd.normalize_str("0" + b + a) != "0" + a + b:
            raise RuntimeError(f"combining classes of U+{ord(a):04X} and U+{ord(b):04X} are not in the expected order")
    classes = {}
    for x in candidates:
        swapped = changes(nfd, [pair for r in references.values() for pair in (x + r, r + x)])
        equal = [k for k, r in references.items() if x + r not in swapped and r + x not in swapped]
        if len(equal) != 1:
            raise RuntimeError(f"no single combining class for U+{ord(x):04X}: {equal}")
        classes[x] = equal[0]
    return classes


def _compositions(canonical: Mapping[str, str]) -> dict[str, str]:
    """What NFC makes of pairs: each first of a decomposition with each last, Hangul aside."""
    from tokenizers.normalizers import NFC

    parts = [text for c, text in canonical.items() if len(text) > 1 and ord(c) not in _HANGUL]
    heads = [text[:-1] for text in parts]
    shorter = changes(NFC(), heads)
    firsts = {shorter.get(head, head) for head in heads} | {text[0] for text in parts}
    lasts = sorted({text[-1] for text in parts})
    pairs = [first + last for first in sorted(firsts) if len(first) == 1 for last in lasts]
    return {pair: out for pair, out in changes(NFC(), pairs).items() if len(out) == 1}


def _check_composed(forms: Mapping[str, str], decomposed: Mapping[str, str], compositions: Mapping[str, str]) -> None:
    """NFC or NFKC of every character is its decomposition, composed from the left by the pairs."""
    for c, parts in decomposed.items():
        if ord(c) in _HANGUL:
            if parts != hangul(ord(c)) or c in forms:
                raise RuntimeError(f"U+{ord(c):04X} does not decompose by the Hangul formula")
            continue
        done = parts[0]
        for part in parts[1:]:
            joined = compositions.get(done[-1] + part)
            done = done + part if joined is None else done[:-1] + joined
        if done != forms.get(c, c) and not any(0x1100 <= ord(part) < 0x1200 for part in parts):
            raise RuntimeError(f"U+{ord(c):04X} is composed to {forms.get(c, c)!a}, not {done!a}")
    if not set(forms) <= set(decomposed):
        raise RuntimeError("a character without a decomposition is composed")


def _check_accents(chars: Sequence[str], canonical: Mapping[str, str], marks: Set[str]) -> None:
    stripped = changes(_bert(strip_accents=True), chars)
    for c in {*canonical, *stripped, *marks}:
        expected = "".join(part for part in canonical.get(c, c) if part not in marks)
        if stripped.get(c, c) != expected:
            raise RuntimeError(f"strip_accents turns {c!a} into {stripped.get(c, c)!a}, not {expected!a}")
