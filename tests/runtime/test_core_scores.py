"""The scores of the C and C++ APIs are those of Python's own arithmetic, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from potstill.runtime.answers import _sigmoid, predict, predict_each
from tiny_still import write_model

TEXTS = ["a", "b c", "abc d e", "z y x w"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, lambda labels, row: list(predict(labels, row).scores.values())),
        ({"multi_label": True}, lambda labels, row: list(predict_each(labels, row, 0.5).scores.values())),
        ({"score": "sigmoid", "outputs": 1, "labels": ()}, lambda labels, row: [_sigmoid(row[0])]),
        ({"score": "raw", "outputs": 1, "labels": ()}, lambda labels, row: [row[0]]),
    ],
    ids=["classes", "multi-label", "sigmoid", "raw"],
)
def test_scores_of_a_head(
    options: dict[str, object], expected: Callable[[list[str], list[float]], list[float]], tmp_path: Path
) -> None:
    from potstill import _core

    path = write_model(tmp_path / "m.still", **options)
    core = _core.Model(str(path), 1)
    logits, _ = core.answer(TEXTS)
    assert logits is not None
    labels = [str(index) for index in range(logits.shape[1])]
    assert core.scores(logits) == [score for row in logits.tolist() for score in expected(labels, row)]
