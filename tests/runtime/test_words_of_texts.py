# ruff: noqa: RUF001  # letters that look like others are the matter here
"""Where a tagger's words and characters are in a text: against the Unicode data of Python and of `regex`."""

from __future__ import annotations

import random
import sys
import unicodedata

import pytest

from potstill.errors import InputError
from potstill.runtime.backends import word_ranges


def cut(text: str, units: str = "characters") -> list[str]:
    return [text[start:end] for start, end in word_ranges(text, units)]


@pytest.mark.parametrize(
    ("text", "words", "characters"),
    [
        ("小明住在上海。", "小|明|住|在|上|海|。", "小|明|住|在|上|海|。"),
        ("東京でiPhoneのケースを", "東|京|で|iPhone|の|ケ|ー|ス|を", "東|京|で|i|P|h|o|n|e|の|ケ|ー|ス|を"),
        ("佐々木さん", "佐|々|木|さ|ん", "佐|々|木|さ|ん"),
        ("ที่นี่ น้ำ", "ที่|นี่|น้ำ", "ที่|นี่|น้ำ"),
        ("서울에 산다.", "서울에|산다|.", "서|울|에|산|다|."),
        ("ຂ້ອຍ ភាសា မြန်မာ", "ຂ້|ອ|ຍ|ភា|សា|မြ|န်|မာ", "ຂ້|ອ|ຍ|ភា|សា|မြ|န်|မာ"),
        ("１２３円 ABC", "１２３|円|ABC", "１|２|３|円|A|B|C"),
        ("हिन्दी में", "हिन्दी|में", "हि|न्|दी|में"),
        ("👩\u200d🚀👋🏽🇯🇵🇩🇪 1\ufe0f\u20e3", "👩\u200d🚀👋🏽🇯🇵🇩🇪|1\ufe0f\u20e3", "👩\u200d🚀|👋🏽|🇯🇵|🇩🇪|1\ufe0f\u20e3"),
        ("Zoe\u0308 caf\u00e9", "Zoe\u0308|caf\u00e9", "Z|o|e\u0308|c|a|f|\u00e9"),
        ("a\u200bb \u00ad", "a\u200bb", "a|b"),
        ("\u3000\n", "", ""),
    ],
)  # fmt: skip
def test_texts_of_many_scripts(text: str, words: str, characters: str) -> None:
    assert "|".join(cut(text, "words")) == words
    assert "|".join(cut(text)) == characters


def test_lone_surrogates_are_characters() -> None:
    assert word_ranges("中\ud800a", "characters") == [(0, 1), (1, 2), (2, 3)]


def test_words_that_must_be_given() -> None:
    with pytest.raises(InputError, match="I130"):
        word_ranges("東京", "given")


def test_every_mark_stays_with_its_letter() -> None:
    """And every other letter or digit begins a character, but for what the annex counts as marks."""
    parts = {"\u0e33", "\u0eb3", "\uff9e", "\uff9f", *map(chr, range(0x1160, 0x1200)), *map(chr, range(0xD7B0, 0xD7FC))}
    for point in range(0x80, sys.maxunicode + 1):
        letter = chr(point)
        kind = unicodedata.category(letter)[0]
        if kind == "M":
            assert cut(f"a{letter}b") == [f"a{letter}", "b"], hex(point)
        elif kind in "LN" and letter not in parts:
            assert cut(f"a{letter}b") == ["a", letter, "b"], hex(point)


# Without letters that a virama joins, and marks that the annex leaves alone (Burmese aa): there the two differ.
ALPHABET = [
    *"aé1。中国々かカーｶﾞ한글กที่น้ำไວຫກາបាកीनשָלוֹםعَرَب", *"\u1112\u1161\u11ab\u1100\uac00\uac01\u1161",
    *"👩👨👧🚀👋🏽❤🇯🇵🇩🏴!", *"\ufe0f\u200d\u200c\u20e3\u0301\u0323\U000e0100\U000e0067\U000e007f",
]  # fmt: skip


def test_characters_are_those_of_the_annex() -> None:
    """Extended grapheme clusters as `regex`, a package that transformers brings, finds them."""
    regex = pytest.importorskip("regex", reason="the package regex is not installed")
    random.seed(7)
    for _ in range(4000):
        text = "a" + "".join(random.choices(ALPHABET, k=random.randint(1, 12)))
        assert cut(text) == regex.findall(r"\X", text), ascii(text)
