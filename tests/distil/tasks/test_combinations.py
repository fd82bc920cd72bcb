"""Tasks beside pruned vocabularies, losses of tokens, small students and quantization-aware training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import bert
from potstill.distil.distillation import distil
from potstill.distil.students.job import Job, make_student
from potstill.models.classifier import EncoderClassifier, load_classifier, load_encoder
from potstill.models.evaluation import outputs, predictions
from potstill.models.heads import Truth, task_named
from potstill.models.heads.embedding import teacher_projection
from potstill.models.rows import encode_dataset
from potstill.models.tokens import load_tokenizer
from potstill.quantize.qat import quantize_aware
from potstill.recipe.schema import Recipe, Student
from potstill.runtime.rows import TokenRows
from potstill.still.schemes import scheme_by_name
from potstill.work.progress import QuietProgress

WORDS = ["good", "fine", "great", "bad", "dull", "poor"]
FILL = ["film", "plot", "the", "was", "and"]
LETTERS = list("abcdefghijklmnopqrstuvwxyz")
PIECES = ["[unused0]", *bert.SPECIAL, "unseen", *WORDS, *FILL, *LETTERS, *(f"##{letter}" for letter in LETTERS)]

# A tokenizer that shares nothing with the teacher's.
OWN = {"tokenizer": "own", "tokenizer_model": "unigram", "tokenizer_size": 60}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT encoder whose token types matter, with a tokenizer that can spell."""
    return bert.encoder(tmp_path_factory.mktemp("combined"), PIECES, layers=2)


@pytest.fixture(scope="module")
def make_teacher(encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Write a teacher with a sharp random head (or none) over the encoder."""

    def make(labels: list[str], problem: str | None = None) -> Path:
        folder = tmp_path_factory.mktemp("teacher")
        model = load_encoder(encoder, labels=labels, seed=5, problem=problem)
        if labels:
            model.classifier.weight.data.mul_(20.0)
        model.save_pretrained(folder)
        load_tokenizer(encoder).save_pretrained(folder)
        return folder

    return make


def rows(count: int, seed: int, pairs: bool) -> dict[str, list[Any]]:
    random = np.random.default_rng(seed)

    def text() -> str:
        return " ".join(random.choice([*WORDS, *FILL], random.integers(2, 6)))

    columns: dict[str, list[Any]] = {"text": [text() for _ in range(count)]}
    if pairs:
        columns["text_pair"] = [text() for _ in range(count)]
    return columns


def make_splits(teacher: Path, task: str, labels: list[str], *, pairs: bool = False) -> Any:
    """Splits that the teacher itself labels; the last test text has a word that no other has."""
    from datasets import Dataset

    model, made = load_classifier(teacher), {}
    for seed, (name, count) in enumerate((("train", 64), ("validation", 24), ("test", 24))):
        columns = rows(count, seed, pairs)
        if name == "test":
            columns["text"][-1] += " unseen"
        logits = outputs(model, encode_dataset(load_tokenizer(teacher), columns, 24)).logits
        found: list[Any] = logits.argmax(1).tolist() if labels else [-1] * count
        if task == "multi-label":
            found = [np.flatnonzero(row > 0).tolist() for row in logits]
        made[name] = Dataset.from_dict({**columns, "label": found})
    return SimpleNamespace(**made, unlabelled=None, labels=labels, fingerprint=f"{task} {pairs}", units="")


def recipe(teacher: Path, task: str, *, pairs: bool = False, **sections: dict[str, Any]) -> Recipe:
    content: dict[str, dict[str, Any]] = {
        "teacher": {"model": str(teacher)},
        "data": {"source": "unused.csv", "max_tokens": 24, **({"text_pair": "text_pair"} if pairs else {})},
        "student": {"layers": 1, "hidden": 16, "heads": 4, "intermediate": 32},
        "distil": {"epochs": 1, "learning_rate": 5e-3, "precision": "fp32", "batch_size": 16},
    }
    for name, keys in sections.items():
        content[name] = content.get(name, {}) | keys
    return Recipe.model_validate({"name": "tiny", "task": task, **content})


def run(made: Recipe, splits: Any, teacher: Path, folder: Path, name: str = "student") -> dict[str, Any]:
    return distil(
        made, splits, teacher, folder / name, cache=folder / "cache", work=folder / f"{name}.work",
        progress=QuietProgress(),
    )  # fmt: skip


def qat(made: Recipe, splits: Any, teacher: Path, folder: Path) -> dict[str, Any]:
    return quantize_aware(
        made, splits, teacher, folder / "student", folder / "qat", scheme=scheme_by_name("int4"), max_tokens=24,
        cache=folder / "cache", work=folder / "qat.work", progress=QuietProgress(),
    )  # fmt: skip


def test_pairs_with_a_vocabulary_of_their_own_and_losses_of_tokens(
    make_teacher: Callable[..., Path], tmp_path: Path
) -> None:
    """The teacher sees the token types of the rows it is shown, from the cache as well as in the training step."""
    labels = ["no", "yes"]
    teacher = make_teacher(labels)
    splits = make_splits(teacher, "classification", labels, pairs=True)
    losses = []
    for name, limit in (("cached", 2**30), ("live", 0)):
        sections = {
            "student": {"vocabulary": "seen"},
            "distil": {"hidden": 1.0, "alpha": 0.0, "cache_limit": limit, "batch_size": 2},
        }
        facts = run(recipe(teacher, "classification", pairs=True, **sections), splits, teacher, tmp_path, name)
        losses.append(facts["epochs"][-1]["loss"])
        assert facts["teacher_test_accuracy"] == 1.0, "the teacher gave the labels, token types and all"
        assert facts["vocabulary"]["size"] < facts["vocabulary"]["teacher_size"]
        found = predictions(tmp_path / name, splits.test, 24)
        truth = Truth(np.asarray(splits.test["label"]))
        assert task_named("classification").score(found, truth) == pytest.approx(facts["test_accuracy"])
        assert load_classifier(tmp_path / name).config.text_pair is True
    # States are kept as f16; shown the wrong types, the teacher's would be far off.
    assert losses[0] == pytest.approx(losses[1], rel=2e-3)


@pytest.mark.builds
@pytest.mark.parametrize("student", [{"vocabulary": "seen"}, OWN], ids=["pruned", "own"])
def test_pairs_trained_for_int4(make_teacher: Callable[..., Path], tmp_path: Path, student: dict[str, Any]) -> None:
    labels = ["no", "yes"]
    teacher = make_teacher(labels)
    splits = make_splits(teacher, "classification", labels, pairs=True)
    made = recipe(
        teacher, "classification", pairs=True, student=student, compile={"scheme": "int4"},
        quantize={"qat_epochs": 1.0},
    )  # fmt: skip
    run(made, splits, teacher, tmp_path)
    facts = qat(made, splits, teacher, tmp_path)
    found = predictions(tmp_path / "qat", splits.test, 24)
    model = load_classifier(tmp_path / "qat")
    assert isinstance(model, EncoderClassifier) and model.config.text_pair is True
    assert found.logits.shape == (24, 2) and facts["metric"] == "accuracy"


@pytest.mark.builds
@pytest.mark.parametrize("architecture", ["bert", "factorized", "static"])
def test_several_labels_on_every_student_trained_for_int4(
    make_teacher: Callable[..., Path], tmp_path: Path, architecture: str
) -> None:
    labels = ["a", "b", "c"]
    teacher = make_teacher(labels, "multi_label_classification")
    splits = make_splits(teacher, "multi-label", labels)
    more = {"head_hidden": 8} if architecture == "static" else {}
    made = recipe(
        teacher, "multi-label", student={"architecture": architecture, "vocabulary": "seen", **more},
        distil={"augment": 1}, compile={"scheme": "int4"}, quantize={"qat_epochs": 1.0},
    )  # fmt: skip
    facts = run(made, splits, teacher, tmp_path)
    assert facts["metric"] == "micro_f1" and facts["teacher_test_accuracy"] == 1.0
    assert 0 <= facts["agreement_where_right"] <= 1 and facts["train_accuracy"] is not None
    assert load_classifier(tmp_path / "student").config.problem_type == "multi_label_classification"
    if architecture == "static":  # nothing is rounded in it but its table
        return
    trained = qat(made, splits, teacher, tmp_path)
    assert trained["metric"] == "micro_f1"
    assert trained["validation_accuracy"] >= trained["start"]["validation_accuracy"]
    assert load_classifier(tmp_path / "qat").config.problem_type == "multi_label_classification"


@pytest.mark.parametrize("student", [{"vocabulary": "seen"}, {"architecture": "static"}, {"init": "random"}, OWN])
def test_vectors_of_every_student(make_teacher: Callable[..., Path], tmp_path: Path, student: dict[str, Any]) -> None:
    teacher = make_teacher([])
    splits = make_splits(teacher, "embedding", [])
    facts = run(recipe(teacher, "embedding", student=student), splits, teacher, tmp_path)
    projection = teacher_projection(tmp_path / "student")
    assert projection is not None and projection.shape == (24, 16)
    truth = Truth(np.full(24, -1), predictions(teacher, splits.test, 24).pooled, projection)
    found = predictions(tmp_path / "student", splits.test, 24)
    assert found.logits.shape == (24, 0) and found.pooled.shape == (24, 16)
    assert task_named("embedding").score(found, truth) == pytest.approx(facts["test_accuracy"], abs=1e-5)


def test_pruning_by_labels_that_do_not_exclude_each_other(make_teacher: Callable[..., Path]) -> None:
    """One label is enough: no margin between two is needed."""
    teacher = load_classifier(make_teacher(["only"], "multi_label_classification"))
    settings = Student(layers=1, hidden=16, heads=4, intermediate=32, init="prune")
    ids = [np.array([3, 8 + row % 5, 9, 4], np.int32) for row in range(12)]
    job = make_student(Job(settings, teacher, ["only"], TokenRows(ids, pad_id=1)))
    assert job.projection is not None and set(np.unique(job.projection)) == {0.0, 1.0}
    assert job.student.config.problem_type == "multi_label_classification"
