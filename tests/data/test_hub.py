"""Hub data sets: which split serves what, on data sets made here; and the error without a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import pytest

from potstill.data import load_data
from potstill.data.hub import pick_splits
from potstill.errors import DataError
from potstill.recipe.schema import Data

FEATURES = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])})
USUAL: dict[str, str | None] = {"train": None, "validation": None, "test": None}


def table(labels: list[int]) -> Any:
    return datasets.Dataset.from_dict(
        {"text": [f"t {i}" for i in range(len(labels))], "label": labels}, features=FEATURES
    )


def test_usual_names_are_found_and_hidden_labels_left_out() -> None:
    found = {"train": table([0, 1]), "validation": table([1, 0]), "test": table([-1, -1])}
    rows = pick_splits(found, USUAL, "text", "label", "glue (sst2)")
    assert sorted(rows) == ["train", "validation"]
    assert rows["train"].names == ["bad", "good"]


def test_named_splits() -> None:
    found = {"train": table([0, 1]), "dev": table([1, 0])}
    rows = pick_splits(found, {"train": None, "validation": None, "test": "dev"}, "text", "label", "x")
    assert sorted(rows) == ["test", "train"]
    assert rows["test"].labels == [1, 0]


@pytest.mark.parametrize(
    ("wanted", "text", "code", "part"),
    [
        ({**USUAL, "test": "tset"}, "text", "D017", "did you mean 'test'?"),
        (USUAL, "sentence", "D003", "data.text"),
    ],
)
def test_wrong_names(wanted: dict[str, str | None], text: str, code: str, part: str) -> None:
    with pytest.raises(DataError) as caught:
        pick_splits({"train": table([0, 1]), "test": table([0])}, wanted, text, "label", "x")
    assert caught.value.code == code
    assert part in caught.value.next_step


def test_without_network_the_error_tells_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        load_data(Data(source="someone/some-data"), seed=1, cache=tmp_path)
    assert caught.value.code == "D016"
    assert "someone/some-data" in caught.value.where
    assert "network" in caught.value.next_step
