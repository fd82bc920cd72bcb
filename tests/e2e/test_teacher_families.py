"""A whole build from a teacher of each family: random weights, its own tokenizer, and a student with another."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

import families
import potstill
from potstill.models.recipes import load_recipe
from potstill.models.tokens import encode, load_tokenizer
from potstill.pipeline.builder import run_build

pytest.importorskip("potstill._core", reason="the native module is not built")
pytestmark = pytest.mark.builds

MOST = 32
RECIPE = """
name = "family"
seed = 7
[teacher]
model = "teacher"
epochs = 2
learning_rate = 2e-3
precision = "fp32"
[data]
source = "rows.csv"
max_tokens = 32
[student]
layers = 1
hidden = 24
heads = 2
intermediate = 48
tokenizer = "own"
tokenizer_model = "wordpiece"
tokenizer_size = 120
[distil]
epochs = 4
learning_rate = 5e-3
precision = "fp32"
pooled_cosine = 0.5
[export]
tflite = false
"""


@pytest.mark.parametrize("name", families.FAMILIES)
def test_a_whole_build(name: str, tmp_path: Path) -> None:
    """The file answers as the student in PyTorch does, and cuts texts as its own tokenizer does."""
    families.write(name, tmp_path / "teacher")
    with (tmp_path / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        rows = [[text, ("bad", "good")[row % 2]] for row, text in enumerate(families.sentences(240, seed=2))]
        csv.writer(file).writerows([["text", "label"], *rows])
    (tmp_path / "family.toml").write_text(RECIPE, encoding="utf-8")
    out = tmp_path / "out"
    report = run_build(load_recipe(tmp_path / "family.toml"), out, cache=tmp_path / "cache", timed=False)
    assert report["label_agreement"]["onnx"] == report["label_agreement"]["still_fp32"] == 1.0
    assert report["label_agreement"]["still"] >= 0.9
    model, texts = potstill.load(out / "model.still", threads=1), families.sentences(40, seed=9)
    assert list(model.labels) == ["bad", "good"]
    wanted = encode(load_tokenizer(out / "student"), texts, MOST)
    assert [list(row) for row in model.tokenize(texts)] == [row.tolist() for row in wanted]
    assert len(load_tokenizer(out / "student")) <= 120
    right = [one.label == ("bad", "good")[row % 2] for row, one in enumerate(model.classify(texts))]
    assert np.mean(right) > 0.5
