"""Whole builds of the tasks other than one label a text: from a recipe to a file that answers."""

from __future__ import annotations

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
from potstill.errors import InputError
from potstill.models.recipes import load_recipe
from potstill.pipeline.builder import run_build

pytestmark = pytest.mark.builds

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

OWN = ("wordpiece", "bpe", "unigram")

Build = Callable[..., tuple[Path, dict[str, Any]]]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Run a recipe of `SETTINGS` over given rows (text lines or dictionaries) and a random teacher."""

    def call(
        task: str, rows: list[Any], *, data: str = "", epochs: int = 6, tflite: bool = False,
        settings: tuple[str, ...] = (), teacher: dict[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        folder = tmp_path_factory.mktemp(task)
        write_teacher(folder / "teacher", **(teacher or {}))
        suffix = "txt" if isinstance(rows[0], str) else "jsonl"
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        (folder / f"rows.{suffix}").write_text("\n".join(lines) + "\n")
        recipe = folder / "tiny.toml"
        recipe.write_text(SETTINGS.format(task=task, suffix=suffix, data=data, epochs=epochs))
        loaded = load_recipe(recipe, [f"export.tflite={str(tflite).lower()}", *settings])
        return folder / "out", run_build(loaded, folder / "out", cache=folder / "cache")

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


def labelled(sentences: list[str]) -> list[dict[str, Any]]:
    """Rows whose labels overlap: a bad word, a good word, a strong word of either kind."""
    groups = (("bad", set(BAD)), ("good", set(GOOD)), ("strong", {*GOOD[:3], *BAD[:3]}))
    words = [set(text.replace(".", "").replace("!", "").split()) for text in sentences]
    return [
        {"text": text, "label": [name for name, group in groups if found & group]}
        for text, found in zip(sentences, words, strict=True)
    ]


def test_several_labels_within_a_budget(build: Build, sentences: list[str]) -> None:
    """The budget judges by F1, and what it takes is trained for int4."""
    settings = ("budget.bytes=400kB", "teacher.learning_rate=1e-3", "distil.learning_rate=1e-3")
    teacher = {"layers": 1, "hidden": 128, "heads": 4}
    out, report = build("multi-label", labelled(sentences), epochs=2, settings=settings, teacher=teacher)
    row = next(row for row in report["budget"]["tried"] if row["name"] == report["budget"]["chosen"])
    assert row["test_accuracy"] == pytest.approx(report["packed"]["test_accuracy"])
    assert report["metric"] == "micro_f1"
    assert potstill.load(out / "model.still").multi_label
    assert row["drop"] == pytest.approx(
        100 * (report["teacher"]["validation_accuracy"] - row["validation_accuracy"]), abs=1e-6
    )


def test_several_labels_by_mixed_and_trained_for_it(build: Build, sentences: list[str]) -> None:
    settings = ("compile.scheme=mixed", "quantize.qat_epochs=1", "export.onnx_static=true")
    out, report = build("multi-label", labelled(sentences), epochs=4, settings=settings)
    assert report["packed"]["scheme"] == "mixed"
    assert report["quantization"]["qat"]["metric"] == "micro_f1"
    assert report["quantization"]["sensitivity"]["all"]["i4"]["kl"] > 0
    assert "onnx_static" in report["label_agreement"] and potstill.load(out / "model.still").multi_label


def test_multi_label(build: Build, sentences: list[str]) -> None:
    rows = labelled(sentences)
    out, report = build("multi-label", rows, epochs=12)
    assert report["metric"] == "micro_f1"
    assert report["packed"]["test_accuracy"] > 0.8, report["metrics"]
    assert report["label_agreement"]["still_fp32"] == report["label_agreement"]["onnx"] == 1.0
    model = potstill.load(out / "model.still", threads=1)
    assert model.multi_label and model.labels == ("bad", "good", "strong")
    found = model.classify(sentences[:40])
    for prediction in found:
        assert prediction.labels == tuple(n for n, score in prediction.scores.items() if score >= 0.5)
        assert prediction.score == max(prediction.scores.values())
    assert sum(list(p.labels) == row["label"] for p, row in zip(found, rows, strict=False)) >= 24
    assert {len(p.labels) for p in model.classify(sentences[:9], threshold=0.0)} == {3}
    assert potstill.load(out / "model.onnx", backend="onnxruntime").multi_label
    line = json.loads(run(str(out / "model.still"), "--json", sentences[0])[0])
    assert line["labels"] == list(found[0].labels)


@pytest.mark.parametrize("kind", OWN)
def test_a_tokenizer_of_its_own(kind: str, build: Build, sentences: list[str]) -> None:
    """From the teacher's tokens to others, and on to a file that cuts texts as training did."""
    rows = [{"text": text, "label": ["bad", "good"][number % 2]} for number, text in enumerate(sentences)]
    settings = ("student.tokenizer=own", f"student.tokenizer_model={kind}", "student.tokenizer_size=320")
    out, report = build("classification", rows, epochs=8, settings=(*settings, "distil.hidden=0.1"))
    assert report["packed"]["test_accuracy"] > 0.8, report["metrics"]
    assert report["label_agreement"]["still_fp32"] == report["label_agreement"]["onnx"] == 1.0
    found = report["student"]["vocabulary"]
    assert found["size"] == potstill.load(out / "model.still").info["vocabulary"] <= 320
    model = json.loads((out / "tokenizer" / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    assert model["type"].lower() == kind


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
    settings = ("export.onnx_static=true", "student.vocabulary=seen")
    out, report = build(
        "classification", rows, data='text_pair = "text_pair"', epochs=8, tflite=True, settings=settings
    )
    assert report["packed"]["test_accuracy"] > 0.8 and "onnx_static" in report["label_agreement"]
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


def tagged(sentences: list[str]) -> list[dict[str, Any]]:
    """Words of the sentences; each good word is an entity, and so is each bad one."""
    kinds = {**dict.fromkeys(GOOD, "B-GOOD"), **dict.fromkeys(BAD, "B-BAD")}
    rows = [text.replace(".", " .").replace("!", " !").split() for text in sentences]
    return [{"tokens": words, "tags": [kinds.get(word, "O") for word in words]} for words in rows]


WORDS = 'text = "tokens"\nlabel = "tags"'


def test_token_classification(build: Build, sentences: list[str]) -> None:
    """Named entities from a recipe to a file: every export answers every word as PyTorch does.

    With 16 tokens some rows lose their last words, and TFLite has one length to convert.
    """
    rows = tagged(sentences[:200])
    settings = ("student.vocabulary=seen", "compile.scheme=mixed", "quantize.qat_epochs=1", "data.max_tokens=16")
    out, report = build("token-classification", rows, data=WORDS, epochs=6, tflite=True, settings=settings)
    assert report["metric"] == report["quantization"]["qat"]["metric"] == "entity_f1"
    assert report["packed"]["scheme"] == "mixed" and report["quantization"]["sensitivity"]["all"]["i4"]["kl"] > 0
    assert report["packed"]["test_accuracy"] > 0.7, report["metrics"]
    assert set(report["metrics"]["still"]) == {"entity_f1", "entity_precision", "entity_recall", "word_accuracy"}
    for export in ("onnx", "tflite", "still_fp32"):
        assert report["label_agreement"][export] == 1.0, export
    model = potstill.load(out / "model.still", threads=1)
    assert model.per_token and model.info["task"] == "token-classification"
    short = [number for number, row in enumerate(rows) if len(row["tokens"]) <= 11][:40]
    some = [rows[number] for number in short]
    found = model.tag([row["tokens"] for row in some])
    given = [[token.label for token in row] for row in found]
    assert [len(row) for row in given] == [len(row["tags"]) for row in some]
    assert sum(row == wanted["tags"] for row, wanted in zip(given, some, strict=True)) >= 0.75 * len(some)
    # A text is cut where its words were cut.
    assert [token[:3] for token in model.tag([sentences[short[0]]])[0]] == [token[:3] for token in found[0]]
    given = [row["tokens"] for row in some]
    wanted = model._backend.encode_words(given, False)
    for name, backend, near in (("model.onnx", "onnxruntime", 1e-4), ("model.tflite", "litert", 1e-4)):
        other = potstill.load(out / name, threads=1, backend=backend)
        read = other._backend.encode_words(given, False)
        assert other.per_token and (read.ids, read.words) == (wanted.ids, wanted.words)
        exact = np.asarray(potstill.load(out / "model.onnx", backend="onnxruntime").logits_from_ids(wanted.ids))
        np.testing.assert_allclose(np.asarray(other.logits_from_ids(wanted.ids)), exact, atol=near)
        with pytest.raises(InputError, match="I002"):
            other.tag([["film"] * 40])
        assert len(other.tag([["film"] * 40], truncate=True)[0]) == 14
    lines = run(str(out / "model.still"), sentences[short[0]])
    assert lines[0] == f"{found[0][0].word}\t{found[0][0].label}\t{found[0][0].score:.4f}"


PEOPLE, PLACES, DOES = (
    ("王明", "李小华", "张强", "陈红"),
    ("北京", "上海", "广州", "西安"),
    ("住", "工作", "学习", "开会"),
)


def named(count: int) -> list[dict[str, Any]]:
    """Chinese sentences with spans of who is where: "1 日、王明在北京学习。"."""
    rng = random.Random(4)
    rows = []
    for number in range(count):
        before, who, where = f"{number} 日、" * rng.randint(0, 1), rng.choice(PEOPLE), rng.choice(PLACES)
        start = len(before)
        place = start + len(who) + 1
        rows.append({
            "text": f"{before}{who}在{where}{rng.choice(DOES)}{number}。",
            "label": [[start, start + len(who), "PER"], [place, place + len(where), "LOC"]],
        })  # fmt: skip
    return rows


def test_a_tagger_of_characters(build: Build) -> None:
    """Texts with spans to a model that gives spans: training, exports and answers by characters."""
    rows = named(300)
    teacher = {"more": "日月、。在" + "".join((*PEOPLE, *PLACES, *DOES))}
    out, report = build("token-classification", rows, epochs=8, teacher=teacher)
    assert report["metric"] == "entity_f1" and report["packed"]["test_accuracy"] > 0.9, report["metrics"]
    assert report["card"]["units"] == "characters" and list(report["texts"]["scripts"]) == ["Han"]
    assert report["texts"]["tokens"]["student"]["tokens_per_character"] == pytest.approx(1.0, abs=0.2)
    model, other = (
        potstill.load(out / name, threads=1, backend=backend)
        for name, backend in (("model.still", "native"), ("model.onnx", "onnxruntime"))
    )
    assert model.units == other.units == "characters"
    texts = ["\U0001f469\u200d\U0001f680 王明 在 广州开会。", "7 日、李小华在北京住"]
    found = model.spans(texts)
    assert [[(span.text, span.label) for span in row] for row in found] == [
        [("王明", "PER"), ("广州", "LOC")], [("李小华", "PER"), ("北京", "LOC")],
    ]  # fmt: skip
    assert all(text[span.start : span.end] == span.text for text, row in zip(texts, found, strict=True) for span in row)
    assert [[span[:2] for span in row] for row in other.spans(texts)] == [[s[:2] for s in row] for row in found]
    line = json.loads(run(str(out / "model.still"), "--json", texts[1])[0])
    assert [token["word"] for token in line["tokens"]] == [letter for letter in texts[1] if letter != " "]
    assert [(span["text"], span["start"]) for span in line["spans"]] == [("李小华", 4), ("北京", 8)]
    tested = rows[:40]
    exact = model.spans([row["text"] for row in tested])
    right = [
        [(s.start, s.end, s.label) for s in row] == [tuple(x) for x in wanted["label"]]
        for row, wanted in zip(exact, tested, strict=True)
    ]
    assert sum(right) >= 36
