"""In which scripts and languages texts are written."""

from __future__ import annotations

import functools
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# Scripts in which no space stands between words: their texts are measured by characters. The core has the same ones
# (cpp/src/tokenizer/words.cpp).
WITHOUT_SPACES = ("Han", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar")
# First words of names of scripts that have two: "OLD ITALIC LETTER A".
_OF_TWO_WORDS = ("Old", "New", "Tai", "Ol")
# What Unicode calls Han in names of its letters.
_HAN = ("Cjk", "Ideographic")
# Texts looked at; the identifier takes about 0.2 ms a text.
_SAMPLE = 1000
# A language is told of a text from this probability on. Single words stay below it ("lovely": 0.13), sentences of four
# words and more mostly reach it.
_SURE = 0.5
# Shares of scripts and of languages under it are not worth a word: the identifier takes 3 % of Chinese newspaper
# sentences for Wu, and 1 % of Chinese reviews.
_LEAST_SCRIPT, _LEAST_LANGUAGE = 0.005, 0.05


@functools.lru_cache(maxsize=1 << 16)
def script_of(character: str) -> str:
    """The script of a letter, as "Latin", "Han" or "Hiragana"; empty for what is no letter.

    Full-width and mathematical letters count as the letters they stand for.
    """
    plain = unicodedata.normalize("NFKC", character)[:1]
    name = unicodedata.name(plain, "") if plain and unicodedata.category(plain)[0] == "L" else ""
    first, _, more = name.title().replace("-", " ").partition(" ")
    if first in _OF_TWO_WORDS:
        return f"{first} {more.partition(' ')[0]}"
    return "Han" if first in _HAN else first


def without_spaces(text: str) -> bool:
    """Whether most letters of a text are of scripts that have no spaces between words."""
    found = Counter(map(script_of, text))
    del found[""]
    return 2 * sum(found[script] for script in WITHOUT_SPACES) > found.total()


def scripts(texts: Iterable[str]) -> dict[str, float]:
    """Shares (0-1) of the letters of texts by script, the largest first; empty for texts without letters."""
    characters: Counter[str] = Counter()
    for text in texts:
        characters.update(text)
    found: Counter[str] = Counter()
    for character, count in characters.items():
        found[script_of(character)] += count
    del found[""]
    return {script: count / found.total() for script, count in found.most_common()}


def languages(texts: Sequence[str]) -> dict[str, float] | None:
    """Shares (0-1) of texts by language, as ISO 639 codes, the largest first.

    Texts of which no language is likely (half as likely as all others together, or less) are left out, so the shares
    may sum to less than 1: texts of one or two words mostly are.

    Args:
        texts: at most 1,000 of them are looked at, evenly spread.

    Returns:
        None where the package py3langid is not installed.
    """
    identify = _identifier()
    if identify is None:
        return None
    some = texts[:: max(1, -(-len(texts) // _SAMPLE))]
    answers = [identify(text) for text in some]
    found = Counter(name for name, probability in answers if probability > _SURE)
    return {name: count / len(some) for name, count in found.most_common()}


@functools.lru_cache(maxsize=1)
def _identifier() -> Any:
    """A function of a text to its likeliest language and the probability of that; it takes 2 s to load."""
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError:
        return None
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True).classify


def plain(text: str | Sequence[str]) -> str:
    """A text, or the words of one with what parts them: spaces, unless its script has none."""
    if isinstance(text, str):
        return text
    joined = "".join(text)
    return joined if without_spaces(joined) else " ".join(text)


def in_words(scripts_found: Mapping[str, float], languages_found: Mapping[str, float] | None) -> dict[str, str]:
    """What `scripts` and `languages` found, in words: "Latin 99 %, Han 1 %" under ``scripts`` and ``languages``."""
    said = {"scripts": _shares(scripts_found, _LEAST_SCRIPT) or "no letters"}
    if languages_found is None:
        return {**said, "languages": "not told: the package py3langid is not installed"}
    named = {name: share for name, share in languages_found.items() if share >= _LEAST_LANGUAGE}
    rest = {"others, or too short to tell": 1 - sum(named.values())}
    return {**said, "languages": _shares({**named, **rest}, _LEAST_SCRIPT)}


def _shares(found: Mapping[str, float], least: float) -> str:
    return ", ".join(f"{name} {100 * share:.0f} %" for name, share in found.items() if share >= least)
