"""Sentences out of templates: every form of the grammar, and what cannot be read."""

from __future__ import annotations

import random

import pytest

from potstill.data.templates import Grammar
from potstill.errors import DataError

RULES = {"the": "the|my", "light": "(lamp|light)[s]", "loop": "a <loop>", "deep": "<the> <light>"}
THE, SIZES = (" the", ""), ("big", "small")
VALUES = {"colour": ["red", "blue|green"], "room": ["kitchen"]}


def sentences(template: str, between: str = " ") -> set[str]:
    grammar = Grammar(RULES, lambda name, chance: chance.choice(VALUES[name]), between)
    return {grammar.sentence(template, random.Random(seed)) for seed in range(200)}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("turn it on", {"turn it on"}),
        ("[please ]go", {"please go", "go"}),
        ("(turn|switch) on", {"turn on", "switch on"}),
        ("in[[ the] (big|small)] room", {"in room", *(f"in{the} {size} room" for the in THE for size in SIZES)}),
        ("(on;now)", {"on now", "now on"}),
        ("(a|b;c)", {"a c", "b c", "c a", "c b"}),
        ("<the> {room}", {"the kitchen", "my kitchen"}),
        ("{colour:paint}", {"red", "blue", "green"}),
        ("stop|halt", {"stop", "halt"}),
        ("<deep>", {f"{the} {light}" for the in ("the", "my") for light in ("lamp", "lamps", "light", "lights")}),
    ],
)  # fmt: skip
def test_all_sentences_of_a_template(template: str, expected: set[str]) -> None:
    assert sentences(template) == expected


def test_members_stand_together_where_words_have_no_spaces() -> None:
    assert sentences("(开;灯)", between="") == {"开灯", "灯开"}


@pytest.mark.parametrize("template", ["[a", "(a|b", "<the", "{room", "(a [b)", "<other>", "<loop>"])
def test_what_cannot_be_read_is_refused(template: str) -> None:
    with pytest.raises(DataError) as caught:
        sentences(template)
    assert caught.value.code == "D021"
