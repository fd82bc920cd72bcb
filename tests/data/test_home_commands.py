"""Voice commands in several languages, out of made-up templates in the demo package's form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from potstill.data.home_commands import home_commands
from potstill.data.home_words import KINDS, WORDS

LISTS = {
    "level": {"range": {"from": 10, "to": 30, "step": 10}},
    "colour": {"values": [{"in": "red|blue", "out": "x"}, "green"]},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for language in WORDS:
        intents: dict[str, Any] = {
            "HassTurnOn": [f"{language} on {number} <in> {{area}}" for number in range(30)],
            "HassLightSet": [f"{language} {number} [at] {{level:brightness}} {{colour}}" for number in range(30)],
            "HassNevermind": [f"{language} stop", "the same in two intents"],
            "HassBroadcast": ["the same in two intents", f"{language} say"],
        }
        if language == "en":
            intents["HassOnlyHere"] = ["only one language has it"]
        content = {
            "intents": {name: {"data": [{"sentences": some}]} for name, some in intents.items()},
            "expansion_rules": {"in": "(in|inside) [the]"},
            "lists": LISTS,
        }
        (tmp_path / f"{language}.json").write_text(json.dumps(content), encoding="utf-8")
    return tmp_path


def test_rows_are_dealt_by_template(folder: Path) -> None:
    raws = home_commands(folder, "demo:home-commands")
    assert list(raws) == ["train", "validation", "test"]

    def templates(part: str) -> set[tuple[str, str]]:
        """The number in a made-up template names it; so does its language, the first word."""
        numbered = [text.split() for text in raws[part].texts if " on " in text and not text.startswith("zh")]
        return {(words[0], words[2]) for words in numbered}

    assert all(templates(part) for part in raws)
    assert not templates("train") & (templates("validation") | templates("test"))
    assert not templates("validation") & templates("test")
    assert len(templates("train")) > 3 * len(templates("test"))


def test_intents_of_all_languages_and_sentences_of_one(folder: Path) -> None:
    raws = home_commands(folder, "demo:home-commands")
    assert {label for raw in raws.values() for label in raw.labels or []} == {
        "TurnOn", "LightSet", "Nevermind", "Broadcast",
    }  # fmt: skip
    assert not any("two intents" in text for raw in raws.values() for text in raw.texts)


def test_values_of_lists(folder: Path) -> None:
    texts = [text for raw in home_commands(folder, "x").values() for text in raw.texts]
    english = [text for text in texts if text.startswith("en ")]
    rooms = [text for text in english if " on " in text]
    assert all(text.endswith(WORDS["en"]["area"]) for text in rooms)
    lights = [text.split() for text in english if text not in rooms and text[3].isdigit()]
    assert {words[-1] for words in lights} == {"red", "blue", "green"}
    assert {words[-2] for words in lights} == {"10", "20", "30"}
    assert not any(" " in text for text in texts if text.startswith("zh"))


def test_it_is_the_same_every_time(folder: Path) -> None:
    assert home_commands(folder, "x") == home_commands(folder, "x")


def test_every_language_has_words_of_every_kind() -> None:
    for language, words in WORDS.items():
        assert set(words) == set(KINDS.values()), language
        assert all(len(set(some)) == len(some) > 2 for some in words.values())
