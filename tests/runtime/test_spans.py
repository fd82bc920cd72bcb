"""Entities of texts: which part of the given text they are, whatever stands between their words."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

import potstill
from potstill.errors import InputError
from potstill.runtime.answers import Token
from potstill.runtime.backends import word_ranges
from potstill.runtime.spans import Span, spans_of
from tiny_still import write_model

TAGS = ("O", "B-PER", "I-PER")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spans")
    for units in ("words", "characters", "given"):
        write_model(folder / f"{units}.still", per_token=True, labels=TAGS, units=units)
    write_model(folder / "plain.still", per_token=True)
    return folder


def tagged(text: str, units: str, tags: str) -> list[Token]:
    """The tokens of a text with these tags, a letter each."""
    names = {"B": "B-PER", "I": "I-PER", "b": "B-LOC", "i": "I-LOC", "O": "O"}
    places = word_ranges(text, units)
    assert len(places) == len(tags)
    return [
        Token(text[start:end], names[tag], 0.5 + 0.01 * number, start, end)
        for number, (tag, (start, end)) in enumerate(zip(tags, places, strict=True))
    ]


@pytest.mark.parametrize(
    ("text", "units", "tags", "wanted"),
    [
        ("小明 住在 上 海。", "characters", "BIOObiO", [("小明", "PER"), ("上 海", "LOC")]),
        ("山田さんはNew Yorkに", "words", "BIIIObiO", [("山田さん", "PER"), ("New York", "LOC")]),
        ("ที่กรุงเทพ", "characters", "Obiiiii", [("กรุงเทพ", "LOC")]),
        ("Mr. O'Neil  (Cork)", "words", "OOBIIObO", [("O'Neil", "PER"), ("Cork", "LOC")]),
        ("👩\u200d🚀 Zoe\u0308 \U00020000", "characters", "OBIIb", [("Zoe\u0308", "PER"), ("\U00020000", "LOC")]),
        ("２０２４年\u200b東京", "characters", "OOOOObi", [("東京", "LOC")]),
    ],
)
def test_a_span_is_a_part_of_its_text(text: str, units: str, tags: str, wanted: list[tuple[str, str]]) -> None:
    found = spans_of(text, tagged(text, units, tags))
    assert [(span.text, span.label) for span in found] == wanted
    assert all(text[span.start : span.end] == span.text for span in found)


def test_scores_and_schemes() -> None:
    tokens = [Token("a", "B-X", 0.9, 0, 1), Token("b", "E-X", 0.6, 2, 3), Token("c", "S-X", 0.7, 4, 5)]
    assert spans_of("a b c", tokens) == [("a b", "X", 0.6, 0, 3), ("c", "X", 0.7, 4, 5)]
    words = [Token(word, label, 0.5) for word, label in (("New", "I-LOC"), ("York", "I-LOC"), ("now", "O"))]
    assert spans_of(["New", "York", "now"], words) == [Span(["New", "York"], "LOC", 0.5, 0, 2)]
    span = spans_of("a b c", tokens)[0]
    assert pickle.loads(pickle.dumps(span)) == span and "text='a b'" in repr(span)
    assert json.loads(json.dumps(span.as_dict()))["end"] == 3


def test_models_of_each_unit(folder: Path) -> None:
    words, characters, given = (potstill.load(folder / f"{units}.still") for units in ("words", "characters", "given"))
    assert [model.units for model in (words, characters, given)] == ["words", "characters", "given"]
    assert characters.info["units"] == "characters" and "units" not in characters.info["provenance"]
    text = "ab c"
    assert [token.word for token in words.tag([text])[0]] == ["ab", "c"]
    assert [token.word for token in characters.tag([text])[0]] == ["a", "b", "c"]
    with pytest.raises(InputError, match=r"I130.*lists of words"):
        given.tag([text])
    assert [token.word for token in given.tag([["ab", "c"]])[0]] == ["ab", "c"]
    for model in (words, characters):
        tokens = model.tag([text, "d"])
        assert model.spans([text, "d"]) == [spans_of(t, row) for t, row in zip([text, "d"], tokens, strict=True)]
    assert given.spans(iter([["ab", "c"]])) == [spans_of(["ab", "c"], given.tag([["ab", "c"]])[0])]
    assert words.spans([]) == []


def test_labels_that_spell_no_entities(folder: Path) -> None:
    model = potstill.load(folder / "plain.still")
    with pytest.raises(InputError, match=r"I131.*tag\(\)"):
        model.spans(["a"])
    with pytest.raises(InputError, match="I007"):
        model.spans("a")  # type: ignore[arg-type]
