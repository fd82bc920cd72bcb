"""Whole builds of the tasks other than one label a text: from a recipe to a file that answers."""

from __future__ import annotations

import functools
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_files import BAD, GOOD, sentence, write_teacher

import potstill
from potstill.bench import measure
from potstill.errors import InputError
from potstill.pipeline.run import run_build
from potstill.recipe import load_recipe

SETTINGS = """
name = "tiny"
task = "{task}"
seed = 7
[teacher]
model = "teacher"
epochs = {epochs}
learning_rate = 5e-3
early_stopping_patience = 0
precision = "fp32"
[data]
source = "rows.{suffix}"
max_tokens = 32
{data}
[student]
layers = 1
hidden = 24
heads = 2
intermediate = 64
[distil]
alpha = 0.3
epochs = {epochs}
learning_rate = 5e-3
precision = "fp32"
"""

Build = Callable[..., tuple[Path, dict[str, Any]]]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Run a recipe of `SETTINGS` over given rows (text lines or dictionaries) and a random teacher."""

    def call(task: str, rows: list[Any], *, data: str = "", epochs: int = 6, tflite: bool = False) -> Any:
        folder = tmp_path_factory.mktemp(task)
        write_teacher(folder / "teacher")
        suffix = "txt" if isinstance(rows[0], str) else "jsonl"
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        (folder / f"rows.{suffix}").write_text("\n".join(lines) + "\n")
        recipe = folder / "tiny.toml"
        recipe.write_text(SETTINGS.format(task=task, suffix=suffix, data=data, epochs=epochs))
        loaded = load_recipe(recipe, [f"export.tflite={str(tflite).lower()}"])
        quick = functools.partial(measure.bench_host, rounds=2, lengths=(16,), memory=False)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(measure, "bench_host", quick)
            report = run_build(loaded, folder / "out", cache=folder / "cache")
        return folder / "out", report

    return call


@pytest.fixture(scope="module")
def sentences() -> list[str]:
    rng = random.Random(3)
    return [f"{sentence(rng, row % 2)} {row}" for row in range(300)]


def run(*arguments: str) -> list[str]:
    """Lines that `potstill run` prints."""
    command = [sys.executable, "-m", "potstill.cli", "run", *arguments]
    found = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ})
    return found.stdout.splitlines()


def test_embedding(build: Build, sentences: list[str]) -> None:
    out, report = build("embedding", sentences, tflite=True)
    assert report["metric"] == "cosine" and report["teacher"]["test_accuracy"] == 1.0
    assert 0.5 < report["packed"]["test_accuracy"] <= 1.0
    assert report["label_agreement"] == dict.fromkeys(report["label_agreement"], 1.0)
    assert set(report["metrics"]["still"]) == {"cosine", "neighbour_at_1", "neighbour_mrr"}
    model = potstill.load(out / "model.still", threads=1)
    assert model.labels == () and model.info["task"] == "feature-extraction"
    vectors = np.asarray(model.embed(["the film was good", "a dull plot"]))
    assert vectors.shape == (2, 24)
    with pytest.raises(InputError, match="I008"):
        model.classify(["the film was good"])
    for name, backend in (("model.onnx", "onnxruntime"), ("model.tflite", "litert")):
        other = potstill.load(out / name, threads=1, backend=backend)
        np.testing.assert_allclose(np.asarray(other.embed(["the film was good"])), vectors[:1], atol=0.2)
        with pytest.raises(InputError, match="I008"):
            other.logits(["the film was good"])
    line = json.loads(run(str(out / "model.still"), "--embed", "the film was good")[0])
    assert line["embedding"] == pytest.approx(vectors[0].tolist())


def test_multi_label(build: Build, sentences: list[str]) -> None:
    strong = {*GOOD[:3], *BAD[:3]}

    def labels(text: str) -> list[str]:
        words = set(text.replace(".", "").replace("!", "").split())
        return [n for n, group in (("bad", set(BAD)), ("good", set(GOOD)), ("strong", strong)) if words & group]

    out, report = build("multi-label", [{"text": text, "label": labels(text)} for text in sentences], epochs=12)
    assert report["metric"] == "micro_f1"
    assert report["packed"]["test_accuracy"] > 0.8, report["metrics"]
    assert report["label_agreement"]["still_fp32"] == report["label_agreement"]["onnx"] == 1.0
    model = potstill.load(out / "model.still", threads=1)
    assert model.multi_label and model.labels == ("bad", "good", "strong")
    found = model.classify(sentences[:40])
    for prediction in found:
        assert prediction.labels == tuple(n for n, score in prediction.scores.items() if score >= 0.5)
        assert prediction.score == max(prediction.scores.values())
    assert sum(list(p.labels) == labels(t) for p, t in zip(found, sentences, strict=False)) >= 24
    assert {len(p.labels) for p in model.classify(sentences[:9], threshold=0.0)} == {3}
    assert potstill.load(out / "model.onnx", backend="onnxruntime").multi_label
    line = json.loads(run(str(out / "model.still"), "--json", sentences[0])[0])
    assert line["labels"] == list(found[0].labels)


def test_pairs(build: Build, sentences: list[str]) -> None:
    """Does the second text say what the first does: both good or both bad, two words each."""
    rng = random.Random(4)
    rows = []
    for number in range(400):
        first = number % 2
        # Only the second text tells the label, the first one misleads: token types are needed.
        label = rng.randrange(2)
        one, two = ([rng.choice(GOOD if kind else BAD) for _ in range(2)] for kind in (first, label))
        rows.append({"text": " ".join(one), "text_pair": " ".join(two) + f" {number}", "label": ["no", "yes"][label]})
    out, report = build("classification", rows, data='text_pair = "text_pair"', epochs=8, tflite=True)
    assert report["packed"]["test_accuracy"] > 0.8
    for export in ("onnx", "tflite", "still_fp32"):
        assert report["label_agreement"][export] == 1.0, export
    model = potstill.load(out / "model.still", threads=1)
    assert model.pairs
    pairs = [(row["text"], row["text_pair"]) for row in rows[:40]]
    found = model.classify(pairs)
    assert sum(p.label == row["label"] for p, row in zip(found, rows, strict=False)) >= 32
    # The order matters: the text that decides is the second one.
    assert np.abs(np.asarray(model.logits(pairs)) - np.asarray(model.logits([(b, a) for a, b in pairs]))).max() > 0.1
    assert model.tokenize(pairs[:1]) == [model.tokenize([pairs[0][0]])[0] + model.tokenize([pairs[0][1]])[0][1:]]
    for name, backend in (("model.onnx", "onnxruntime"), ("model.tflite", "litert")):
        other = potstill.load(out / name, threads=1, backend=backend)
        assert [p.label for p in other.classify(pairs)] == [p.label for p in found]
        with pytest.raises(InputError, match="I002"):
            other.classify([("film " * 40, "plot")])
        assert other.tokenize([("film " * 40, "plot was")], truncate=True) == model.tokenize(
            [("film " * 40, "plot was")], truncate=True
        )
    assert run(str(out / "model.still"), "\t".join(pairs[0]))[0].startswith(f"{found[0].label}\t")
    with pytest.raises(InputError, match="I007"):
        model.classify([("a", "b", "c")])  # type: ignore[list-item]
