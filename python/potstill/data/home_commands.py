"""Voice commands for a house in seven languages, out of the templates of the demo package `home-assistant-intents`.

Sentences of one template are alike, so templates are dealt to train, validation and test, not sentences.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from potstill.data.home_words import KINDS, WORDS
from potstill.data.labels import Raw
from potstill.data.splits import text_key
from potstill.data.templates import Grammar

# Sentences made of a template, and the tenths of the templates that are held out.
_EACH = 3
PARTS = ("train", "validation", "test")
_HELD_OUT = {0: "test", 1: "validation"}


def home_commands(folder: Path, source: str) -> dict[str, Raw]:
    """Sentences with their intents, by split; the intents are those that every language has.

    A sentence that two intents share is left out. What a row is depends on its template alone.
    """
    languages = {name: json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in WORDS}
    intents = sorted(set.intersection(*(set(content["intents"]) for content in languages.values())))
    rows: dict[str, tuple[str, str, str]] = {}
    said: dict[str, set[str]] = {}
    for language, content in languages.items():
        grammar = _grammar(language, content)
        for intent in intents:
            for template in _templates(content["intents"][intent]):
                chance = random.Random(f"{language} {intent} {template}")
                part = _part(language, template)
                for _ in range(_EACH):
                    text = _tidy(grammar.sentence(template, chance), grammar)
                    said.setdefault(text_key(text), set()).add(intent)
                    rows.setdefault(text_key(text), (part, text, intent))
    kept = [row for key, row in rows.items() if len(said[key]) == 1 and key]
    parts = {name: [(text, intent) for part, text, intent in kept if part == name] for name in PARTS}
    return {
        name: Raw([text for text, _ in some], [intent.removeprefix("Hass") for _, intent in some], source)
        for name, some in parts.items()
    }


def _templates(intent: Mapping[str, Any]) -> list[str]:
    return sorted({sentence for block in intent["data"] for sentence in block["sentences"]})


def _part(language: str, template: str) -> str:
    digest = hashlib.blake2b(f"{language} {template}".encode(), digest_size=8).digest()
    return _HELD_OUT.get(int.from_bytes(digest, "little") % 10, "train")


def _tidy(text: str, grammar: Grammar) -> str:
    """Without the spaces that optional parts leave behind; where words have none between, without any."""
    return grammar.between.join(text.split())


def _grammar(language: str, content: Mapping[str, Any]) -> Grammar:
    between = "" if language.startswith("zh") else " "
    return Grammar(content["expansion_rules"], _values(content["lists"], WORDS[language]), between)


def _values(
    lists: Mapping[str, Mapping[str, Any]], words: Mapping[str, tuple[str, ...]]
) -> Callable[[str, random.Random], str]:
    def value(name: str, chance: random.Random) -> str:
        if name in KINDS:
            return chance.choice(words[KINDS[name]])
        if span := lists[name].get("range"):
            return str(chance.randrange(int(span["from"]), int(span["to"]) + 1, int(span.get("step", 1))))
        found = chance.choice(lists[name]["values"])
        return str(found if isinstance(found, str) else found["in"])

    return value
