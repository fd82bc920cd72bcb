"""Distilling as the pipeline does it, with a student that reads fewer pieces than its teacher."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import lettered
from potstill.distil import distillation as run
from potstill.models.classifier import load_classifier
from potstill.models.evaluation import accuracy, outputs
from potstill.models.tokens import encode, load_tokenizer
from potstill.recipe.schema import Recipe
from potstill.runtime.rows import TokenRows
from potstill.work.progress import QuietProgress


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lettered teacher's folder."""
    return lettered.teacher(tmp_path_factory.mktemp("lettered"))


@pytest.fixture(scope="module")
def splits(teacher: Path) -> Any:
    """Rows labelled by the teacher; the test rows hold words that the others lack."""
    from datasets import Dataset

    model, tokenizer = load_classifier(teacher), load_tokenizer(teacher)

    def labelled(texts: list[str]) -> Any:
        logits = outputs(model, TokenRows(encode(tokenizer, texts, 32), pad_id=tokenizer.pad_token_id)).logits
        return Dataset.from_dict({"text": texts, "label": logits.argmax(1).tolist()})

    return SimpleNamespace(
        train=labelled(lettered.texts(96, 1)),
        validation=labelled(lettered.texts(32, 2)),
        test=labelled([f"{text} unseen" for text in lettered.texts(32, 3)]),
        unlabelled=Dataset.from_dict({"text": [f"{text} word brightness" for text in lettered.texts(16, 4)]}),
        labels=["negative", "positive"],
        fingerprint="lettered",
        units="",
    )


def recipe(teacher: Path, **student: Any) -> Recipe:
    sizes = {"layers": 2, "hidden": 16, "heads": 4, "intermediate": 32} | student
    return Recipe.model_validate(
        {
            "name": "tiny",
            "teacher": {"model": str(teacher)},
            "data": {"source": "unused.csv", "max_tokens": 24},
            "student": sizes,
            "distil": {"epochs": 2, "learning_rate": 5e-3, "precision": "fp32", "batch_size": 16, "pooled_cosine": 1.0},
        }
    )


def distil(teacher: Path, splits: Any, folder: Path, name: str, **student: Any) -> tuple[dict[str, Any], Path]:
    out = folder / name
    facts = run.distil(
        recipe(teacher, **student), splits, teacher, out, cache=folder / "cache", work=folder / f"{name}.work",
        progress=QuietProgress(),
    )  # fmt: skip
    return facts, out


@pytest.mark.parametrize(
    "student",
    [
        {"architecture": "bert"},
        {"architecture": "factorized", "embedding_size": 8},
        {"architecture": "static", "hidden": 12, "head_hidden": 8},
    ],
    ids=lambda keys: keys["architecture"],
)
def test_a_student_of_fewer_pieces(teacher: Path, splits: Any, tmp_path: Path, student: dict[str, Any]) -> None:
    facts, out = distil(teacher, splits, tmp_path, "student", vocabulary="seen", **student)
    found = facts["vocabulary"]
    tokenizer = load_tokenizer(out)
    names = tokenizer.get_vocab()
    assert {"word", "bright", "##ness"} <= names.keys() and "unseen" not in names
    assert found["size"] == len(names) < found["teacher_size"] == len(lettered.VOCABULARY)
    assert found["test_recut"] > 0 and found["test_length"] > 1 and found["test_unknown"] == 0
    assert json.loads((out / "config.json").read_text(encoding="utf-8"))["backbone"]["vocab_size"] == len(names)
    model = load_classifier(out)
    assert model.backbone.embeddings.word_embeddings.num_embeddings == len(names)
    total = sum(parameter.numel() for parameter in model.parameters())
    assert facts["parameters"] == total
    assert 0 < facts["parameters_without_embeddings"] < total
    # The folder alone gives the accuracy that was noted, and the teacher's is that of its own tokenizer.
    assert accuracy(out, splits.test, 24) == pytest.approx(facts["test_accuracy"])
    assert facts["teacher_test_accuracy"] == pytest.approx(accuracy(teacher, splits.test, 24)) == 1.0


def test_unlabelled_text_can_be_left_out_of_the_count(teacher: Path, splits: Any, tmp_path: Path) -> None:
    facts, out = distil(
        teacher, splits, tmp_path, "student", vocabulary="seen", vocabulary_unlabelled_weight=0.0, vocabulary_size=105
    )
    names = load_tokenizer(out).get_vocab()
    assert facts["vocabulary"]["size"] == len(names) <= 105
    assert not {"word", "bright", "##ness"} & names.keys()


def test_one_cache_of_teacher_outputs_serves_every_vocabulary(teacher: Path, splits: Any, tmp_path: Path) -> None:
    distil(teacher, splits, tmp_path, "full")
    shards = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.npy")}
    distil(teacher, splits, tmp_path, "seen", vocabulary="seen")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.npy")} == shards
    assert shards


def test_a_stopped_run_goes_on_with_the_same_start(teacher: Path, splits: Any, tmp_path: Path) -> None:
    """The start is read from the work folder: same ids, same axes, same result."""
    first, _ = distil(teacher, splits, tmp_path, "student", vocabulary="seen")
    again, _ = distil(teacher, splits, tmp_path, "student", vocabulary="seen")
    other, _ = distil(teacher, splits, tmp_path, "other", vocabulary="seen")
    assert first["test_accuracy"] == again["test_accuracy"] == other["test_accuracy"]
    assert first["vocabulary"] == other["vocabulary"]
    axes = [np.load(tmp_path / f"{name}.work" / "start" / "projection.npy") for name in ("student", "other")]
    np.testing.assert_array_equal(*axes)
