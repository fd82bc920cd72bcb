"""Distilling as the pipeline does it, into students that cut texts otherwise than their teacher."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import lettered
from potstill.distil import distillation as run
from potstill.distil.lesson import read_lesson
from potstill.distil.teacher.teaching import Teacher
from potstill.distil.train.fit import Run
from potstill.distil.vocabulary.other import folder_tokenizer
from potstill.errors import TrainError
from potstill.models.classifier import load_classifier
from potstill.models.evaluation import accuracy, outputs
from potstill.models.tokens import encode, load_tokenizer
from potstill.recipe.schema import Recipe, Student
from potstill.runtime.rows import TokenRows
from potstill.work.progress import QuietProgress

KINDS = ["wordpiece", "bpe", "unigram"]
CHINESE = ["\u4e2d\u6587\u4e2d good", "\u6587\u4e2d bad film"]
SIZES = {"layers": 1, "hidden": 16, "heads": 4, "intermediate": 32}


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lettered teacher's folder."""
    return lettered.teacher(tmp_path_factory.mktemp("lettered"))


@pytest.fixture(scope="module")
def splits(teacher: Path) -> Any:
    """Rows labelled by the teacher."""
    from datasets import Dataset

    model, tokenizer = load_classifier(teacher), load_tokenizer(teacher)

    def labelled(texts: list[str]) -> Any:
        logits = outputs(model, TokenRows(encode(tokenizer, texts, 32), pad_id=tokenizer.pad_token_id)).logits
        return Dataset.from_dict({"text": texts, "label": logits.argmax(1).tolist()})

    return SimpleNamespace(
        train=labelled([*lettered.texts(60, 1), *CHINESE]),
        validation=labelled(lettered.texts(24, 2)),
        test=labelled([*lettered.texts(24, 3), *CHINESE]),
        unlabelled=Dataset.from_dict({"text": lettered.texts(16, 4)}),
        labels=["negative", "positive"],
        fingerprint="lettered",
        units="",
    )


def recipe(teacher: Path, distil: dict[str, Any] | None = None, task: str = "classification", **student: Any) -> Recipe:
    learning = {"epochs": 1, "learning_rate": 5e-3, "precision": "fp32", "batch_size": 16}
    return Recipe.model_validate(
        {
            "name": "tiny",
            "task": task,
            "teacher": {"model": str(teacher)},
            "data": {"source": "unused.csv", "max_tokens": 24},
            "student": SIZES | student,
            "distil": learning | ({"pooled_cosine": 1.0} if distil is None else distil),
        }
    )


def distil(made: Recipe, splits: Any, folder: Path, name: str) -> tuple[dict[str, Any], Path]:
    teacher, out = Path(made.teacher.model), folder / name
    facts = run.distil(
        made, splits, teacher, out, cache=folder / "cache", work=folder / f"{name}.work", progress=QuietProgress()
    )
    return facts, out


def own(kind: str, size: int = 300) -> dict[str, Any]:
    return {"tokenizer": "own", "tokenizer_model": kind, "tokenizer_size": size}


@pytest.mark.parametrize("kind", KINDS)
def test_a_student_with_a_tokenizer_of_its_own(kind: str, teacher: Path, splits: Any, tmp_path: Path) -> None:
    facts, out = distil(recipe(teacher, **own(kind)), splits, tmp_path, "student")
    tokenizer, model, found = load_tokenizer(out), load_classifier(out), facts["vocabulary"]
    assert found["size"] == len(tokenizer) == model.backbone.embeddings.word_embeddings.num_embeddings <= 300
    assert found["teacher_size"] == len(lettered.VOCABULARY)
    assert (found["test_unknown"] > 0) == (kind == "bpe"), "bytes that spell a character are no piece of it"
    described = json.loads((out / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    assert described["type"].lower() == kind
    assert model.backbone.config.pad_token_id == tokenizer.pad_token_id == 0
    # The folder alone gives the accuracy that was noted, and the teacher's is that of its own tokenizer.
    assert accuracy(out, splits.test, 24) == pytest.approx(facts["test_accuracy"])
    assert facts["teacher_test_accuracy"] == pytest.approx(accuracy(teacher, splits.test, 24)) == 1.0


@pytest.mark.parametrize(
    "student",
    [
        {"init": "random"},
        {"init": "prune"},
        {"init": "copy", "hidden": 24, "intermediate": 48},
        {"architecture": "factorized", "embedding_size": 8},
        {"architecture": "static", "hidden": 12},
    ],
    ids=lambda keys: "-".join(map(str, keys.values())),
)
def test_every_start_and_kind(student: dict[str, Any], teacher: Path, splits: Any, tmp_path: Path) -> None:
    facts, out = distil(recipe(teacher, **own("unigram", 120), **student), splits, tmp_path, "student")
    assert facts["vocabulary"]["size"] == len(load_tokenizer(out))
    assert accuracy(out, splits.test, 24) == pytest.approx(facts["test_accuracy"])


def test_a_copied_student_starts_from_means_of_the_teachers_rows(teacher: Path, splits: Any, tmp_path: Path) -> None:
    """At the teacher's own sizes the table shows them as they are."""
    made = recipe(teacher, **own("wordpiece"), init="copy", **{"layers": 3, "hidden": 24, "intermediate": 48})
    work = Run(made, splits.labels, tmp_path, tmp_path / "work", QuietProgress())
    ready = Teacher.load(teacher)
    lesson = read_lesson(work, splits, ready)
    student, _ = run.start_student(work, ready, lesson)
    ours, theirs = (model.backbone.embeddings.word_embeddings.weight.detach() for model in (student, ready.model))
    new, old = lesson.vocabulary.tokenizer.get_vocab(), ready.tokenizer.get_vocab()
    assert "goods" in new and "good" in new
    torch.testing.assert_close(ours[new["goods"]], (theirs[old["good"]] + theirs[old["##s"]]) / 2)
    torch.testing.assert_close(ours[new["good"]], theirs[old["good"]])
    for token in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "\u4e2d"):
        assert ours[new[token]].equal(theirs[old[token]]), token


def test_a_tokenizer_like_the_teachers_starts_like_the_teachers_student(
    teacher: Path, splits: Any, tmp_path: Path
) -> None:
    """A folder with the same tokenizer, its ids in another order: the same student, its rows reordered."""
    tokenizer = lettered.bert.tokenizer(lettered.VOCABULARY[::-1], 48)
    tokenizer.save_pretrained(tmp_path / "reversed")
    figures = []
    for name, keys in (("theirs", {}), ("reversed", {"tokenizer": str(tmp_path / "reversed")})):
        made = recipe(teacher, **keys)
        work = Run(made, splits.labels, tmp_path, tmp_path / f"{name}.work", QuietProgress())
        ready = Teacher.load(teacher)
        lesson = read_lesson(work, splits, ready)
        student, _ = run.start_student(work, ready, lesson)
        figures.append(outputs(student.eval(), lesson.rows.test.rows).logits)
    np.testing.assert_allclose(*figures, rtol=1e-4, atol=1e-4)


def test_one_cache_of_teacher_outputs_serves_every_tokenizer(teacher: Path, splits: Any, tmp_path: Path) -> None:
    distil(recipe(teacher), splits, tmp_path, "theirs")
    shards = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.npy")}
    for kind in ("bpe", "unigram"):
        distil(recipe(teacher, **own(kind)), splits, tmp_path, kind)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.npy")} == shards
    assert shards


def test_a_stopped_run_goes_on_with_the_same_tokenizer(teacher: Path, splits: Any, tmp_path: Path) -> None:
    made = recipe(teacher, **own("unigram"))
    first, out = distil(made, splits, tmp_path, "student")
    file = (out / "tokenizer.json").read_bytes()
    again, _ = distil(made, splits, tmp_path, "student")
    assert (out / "tokenizer.json").read_bytes() == file
    assert first["test_accuracy"] == again["test_accuracy"] and first["vocabulary"] == again["vocabulary"]


def test_more_texts_are_made_with_the_teachers_tokenizer(teacher: Path, splits: Any, tmp_path: Path) -> None:
    """They decide nothing of the tokenizer: it is that of the recipe's texts."""
    files = []
    for copies in (0, 1):
        made = recipe(teacher, {"augment": copies}, **own("unigram"))
        _, out = distil(made, splits, tmp_path, f"made-{copies}")
        files.append((out / "tokenizer.json").read_bytes())
    assert files[0] == files[1]


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(TrainError) as error:
        folder_tokenizer(Student(tokenizer=str(tmp_path / "gone")))
    assert error.value.code == "T130"
    from transformers import ByT5Tokenizer

    ByT5Tokenizer().save_pretrained(tmp_path)
    with pytest.raises(TrainError) as error:
        folder_tokenizer(Student(tokenizer=str(tmp_path)))
    assert error.value.code == "T130" and "ByT5" in str(error.value)
