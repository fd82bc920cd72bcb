# ruff: noqa: RUF001  # letters that look like others are the matter here
"""Scripts by what Unicode calls its letters, languages by the package py3langid."""

from __future__ import annotations

import sys

import pytest

from potstill.data import languages as module
from potstill.data.languages import in_words, languages, plain, script_of, scripts, without_spaces


@pytest.mark.parametrize(
    ("letters", "script"),
    [
        ("aéøſＡ𝐀", "Latin"), ("жЁ", "Cyrillic"), ("中㐀々〇"[:2], "Han"), ("ひ", "Hiragana"), ("カーｶ", "Katakana"),
        ("한ᄒ", "Hangul"), ("بﷲ", "Arabic"), ("ह", "Devanagari"), ("กำ"[:1], "Thai"), ("λά", "Greek"), ("ש", "Hebrew"),
        ("ກ", "Lao"), ("ក", "Khmer"), ("က", "Myanmar"), ("𐌀", "Old Italic"), ("1٣, 😀\u0301\u0e31\u200d", ""),
    ],
)  # fmt: skip
def test_scripts_of_letters(letters: str, script: str) -> None:
    assert {script_of(letter) for letter in letters} == {script}


def test_shares_of_letters() -> None:
    found = scripts(["東京タワー", "Tokyo 東"])
    assert list(found) == ["Latin", "Han", "Katakana"]
    assert found == {"Latin": 5 / 12, "Han": 3 / 12, "Katakana": 4 / 12} or sum(found.values()) == pytest.approx(1)
    assert scripts(["12 %", ""]) == {}
    assert without_spaces("私はトムTom") and not without_spaces("I am 汤姆") and not without_spaces("서울에 산다")


def test_words_are_joined_as_their_script_has_it() -> None:
    assert plain(["中", "国"]) == "中国" and plain(["New", "York"]) == "New York" and plain("a b") == "a b"


def test_what_is_told() -> None:
    assert in_words({"Han": 0.9, "Latin": 0.097, "Greek": 0.003}, {"zh": 0.8, "wuu": 0.03}) == {
        "scripts": "Han 90 %, Latin 10 %", "languages": "zh 80 %, others, or too short to tell 20 %",
    }  # fmt: skip
    assert in_words({"Latin": 1.0}, {"en": 1.0})["languages"] == "en 100 %"
    assert in_words({}, {}) == {"scripts": "no letters", "languages": "others, or too short to tell 100 %"}


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "py3langid.langid", None)
    module._identifier.cache_clear()
    try:
        assert languages(["a"]) is None
        assert "py3langid is not installed" in in_words({"Latin": 1.0}, None)["languages"]
    finally:
        module._identifier.cache_clear()


TEXTS = {
    "en": "The rain has stopped and the children are playing outside.",
    "de": "Der Regen hat aufgehört, und die Kinder spielen draußen.",
    "ru": "Дождь перестал, и дети играют на улице.",
    "zh": "雨停了，孩子们在外面玩。",
    "ja": "雨が止んで、子供たちは外で遊んでいます。",
    "th": "ฝนหยุดแล้วและเด็กๆ กำลังเล่นอยู่ข้างนอก",
    "ko": "비가 그치고 아이들이 밖에서 놀고 있다.",
    "hi": "बारिश रुक गई है और बच्चे बाहर खेल रहे हैं।",
}


def test_languages_of_texts() -> None:
    pytest.importorskip("py3langid", reason="the package py3langid is not installed")
    for code, text in TEXTS.items():
        assert languages([text]) == {code: 1.0}, text
    mixed = languages([*TEXTS.values(), TEXTS["en"], "x", "42"])
    assert mixed is not None and next(iter(mixed)) == "en" and mixed["en"] == pytest.approx(2 / 11)
    # A letter and a number are of no language.
    assert sum(mixed.values()) == pytest.approx(9 / 11)
    assert languages([]) == {}
