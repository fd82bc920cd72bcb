"""The card that a model hub shows: metadata, figures and a call that fit the model."""

from __future__ import annotations

import json
from typing import Any

import pytest

from potstill.card import Card, heads_of
from potstill.pipeline.report.hub import hub_card


def report(**card: Any) -> dict[str, Any]:
    heads = card.pop("heads", heads_of(["a", "b"]))
    made = Card("mine", heads, 64, scheme="int8", provenance={"recipe": "mine"}, **card)
    return {
        "card": made.info(), "teacher": {"model": "demo:all-minilm-l6-v2", "test_accuracy": 0.9},
        "task": "classification", "rows": {"test": 100},
        "bytes": {"teacher": 90_000_000, "still": 5_000_000}, "accuracy": {"still": 0.85},
        "seconds_total": 3.0,
    }  # fmt: skip


def front(text: str) -> dict[str, Any]:
    """The metadata, whose values are JSON."""
    lines = text.split("---\n")[1].splitlines()
    return {key: json.loads(value) for key, value in (line.split(": ", 1) for line in lines)}


def test_metadata_and_figures() -> None:
    text = hub_card(report(license="Apache-2.0"))
    assert front(text) == {
        "license": "apache-2.0", "pipeline_tag": "text-classification", "library_name": "potstill",
        "tags": ["potstill", "int8"],
    }  # fmt: skip
    assert "# mine\n" in text and "Labels: `a`, `b`." in text and "- recipe: `mine`" in text
    assert "| student, Potstill int8 (.still) | 5.00 MB | 1/18.0 |" in text
    assert "max \\|diff\\|" in text, "a bar ends a cell"
    assert text == hub_card({**report(license="Apache-2.0"), "seconds_total": 9.0})


@pytest.mark.parametrize(("given", "told"), [("", None), ("see the file LICENSE", "other")])
def test_a_license_that_hubs_do_not_know(given: str, told: str | None) -> None:
    assert front(hub_card(report(license=given))).get("license") == told


@pytest.mark.parametrize(
    ("heads", "pairs", "call"),
    [
        (heads_of(["a", "b"]), False, 'model.classify(["..."])'),
        (heads_of(["a", "b"]), True, 'model.classify([("...", "...")])'),
        (heads_of(score="raw"), True, 'model.score([("...", "...")])'),
        (heads_of(["O", "B-X"], per_token=True), False, 'model.tag(["..."])'),
        (heads_of(logits=False), False, 'model.embed(["..."])'),
    ],
)
def test_the_call_fits_the_model(heads: Any, pairs: bool, call: str) -> None:
    assert f"\n{call}\n```" in hub_card(report(heads=heads, pairs=pairs))
