"""The card in the forms that it takes: what is written is read again, what makes no sense is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from potstill.card import Card, heads_of
from potstill.card.notes import (
    DEFAULT_TOKENS,
    attach_to_tflite,
    card_from,
    notes_in,
    notes_in_tflite,
    notes_of,
    properties_of,
)
from potstill.runtime.backends import open_backend
from tiny_still import write_model

# Heads, the shape of the logits in a graph, and what else tells them.
MODELS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "classes": (heads_of(["a", "b"]), ["b", 2], {"task": "text-classification"}),
    "multi-label": (heads_of(["a", "b"], multi_label=True), ["b", 2], {"multi_label": True}),
    "tags": (heads_of(["O", "\u00e9"], per_token=True), ["b", "n", 2], {"per_token": True}),
    "vector": (heads_of(logits=False, normalized=True), None, {"normalized": True, "task": "feature-extraction"}),
    "score": (heads_of(score="sigmoid"), ["b", 1], {"score": "sigmoid"}),
}


@pytest.mark.parametrize("kind", MODELS)
def test_notes_are_read_again(tmp_path: Path, kind: str) -> None:
    heads, shape, told = MODELS[kind]
    card = Card("m", heads, 64, vocabulary=100, pad_id=1, pairs=kind == "classes", producer="potstill 1")
    assert card.kind == kind and told.items() <= card.info().items()
    (tmp_path / "m.tflite").write_bytes(b"a file of another kind")
    attach_to_tflite(tmp_path / "m.tflite", notes_of(card))
    for notes in (notes_in(properties_of(card)), notes_in_tflite(tmp_path / "m.tflite")):
        read = card_from(notes, "m", shape, embedding="embedding" in card.outputs)
        assert read.info() == card.info()
        assert (read.inputs, read.outputs, read.pad_id) == (card.inputs, card.outputs, card.pad_id)


@pytest.mark.parametrize(
    "properties",
    [{}, {"labels": '"ab"', "max_tokens": "-1", "vocabulary": "true", "pad_id": "x", "multi_label": "1"},
     {"labels": "[1, 2]", "max_tokens": "[" * 100_000, "normalized": "yes"}],
)  # fmt: skip
def test_notes_of_other_programs(properties: dict[str, str]) -> None:
    card = card_from(notes_in(properties), "m", ["b", 2], embedding=False)
    assert (card.labels, card.max_tokens, card.vocabulary, card.pad_id) == ((), DEFAULT_TOKENS, 0, None)
    assert card.kind == "classes" and card.outputs == ("logits",)


@pytest.mark.parametrize(
    ("made", "kind"),
    [({}, "classes"), ({"multi_label": True}, "multi-label"), ({"per_token": True}, "tags"),
     ({"head": False}, "vector"), ({"labels": (), "outputs": 1, "score": "sigmoid"}, "score")],
)  # fmt: skip
def test_the_core_tells_the_same(tmp_path: Path, made: dict[str, Any], kind: str) -> None:
    backend = open_backend("native", write_model(tmp_path / "m.still", **made), 1)
    told = {key: value for key, value in backend.card.info().items() if key != "task"}
    assert backend.card.kind == kind and told.items() <= backend.info.items()
