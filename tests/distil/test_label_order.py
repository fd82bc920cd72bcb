"""A teacher's own labels: nameless, named in another order, or no better than a guess."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from potstill.distil.teacher.finetune import finetune
from potstill.distil.teacher.label_order import Measured, label_order, measure
from potstill.errors import TrainError
from potstill.models.classifier import load_classifier, load_encoder
from potstill.models.heads import Truth, task_of
from potstill.models.tags import Tags
from potstill.pipeline.publish import _meaningless
from potstill.pipeline.report.intervals import retained
from potstill.work.progress import QuietProgress

CLASSES = task_of(SimpleNamespace(task="classification"))
SEVERAL = task_of(SimpleNamespace(task="multi-label"))
WORDS = task_of(SimpleNamespace(task="token-classification"))


def logits(truth: np.ndarray, order: list[int], errors: float, seed: int = 0) -> np.ndarray:
    """A head that answers class c by output order[c], and now and then by any."""
    source = np.random.default_rng(seed)
    found = source.normal(size=(len(truth), len(order))).astype(np.float32)
    sure = source.random(len(truth)) >= errors
    found[np.arange(len(truth))[sure], np.asarray(order)[truth[sure]]] += 9.0
    return found


@pytest.mark.parametrize("count", [2, 3, 9, 40])
def test_any_order_is_found_by_its_answers(count: int) -> None:
    source = np.random.default_rng(count)
    truth = source.integers(0, count, 1000)
    order = [int(place) for place in source.permutation(count)]
    found = measure(logits(truth, order, 0.1), truth, list(range(count)), CLASSES)
    assert found.order == order and found.order_holds and found.found > 0.85
    by_name = measure(logits(truth, order, 0.1), truth, order, CLASSES)
    assert by_name.names_hold and by_name.order == order


def test_chance_is_not_believed() -> None:
    truth = np.random.default_rng(1).integers(0, 3, 1000)
    noise = measure(logits(truth, [0, 1, 2], 1.0), truth, [0, 1, 2], CLASSES)
    assert not noise.order_holds and not noise.names_hold
    # Always the commonest: right as often as that is common.
    rare = (np.arange(1000) % 10 == 0).astype(np.int64)
    constant = np.tile(np.float32([1.0, 0.0]), (1000, 1))
    found = measure(constant, rare, [0, 1], CLASSES)
    assert found.found == pytest.approx(0.9) and not found.order_holds and not found.names_hold


def test_a_label_without_rows_is_not_matched() -> None:
    """Nothing speaks for its output, however good the rest is."""
    truth = np.random.default_rng(2).integers(0, 2, 500)
    found = measure(logits(truth, [2, 0, 1], 0.0), truth, [0, 1, 2], CLASSES)
    assert found.found > 0.99 and not found.supported and not found.order_holds


def test_labels_that_go_together_and_labels_of_words() -> None:
    source = np.random.default_rng(3)
    truth = (source.random((600, 4)) < [0.5, 0.3, 0.2, 0.1]).astype(np.float32)
    order = [2, 0, 3, 1]
    several = np.empty((600, 4), np.float32)
    several[:, order] = truth * 8 - 4
    found = measure(several, truth, [0, 1, 2, 3], SEVERAL)
    assert found.order == order and found.order_holds and found.guess < 0.6
    tags = np.where(source.random(900) < 0.8, 0, source.integers(1, 3, 900))
    words = logits(tags, [1, 2, 0], 0.02)
    words[5] = np.nan
    found = measure(words, Tags(np.split(tags, 100)), [0, 1, 2], WORDS)
    assert found.order == [1, 2, 0] and found.order_holds


def test_the_best_constant_answer() -> None:
    assert CLASSES.guess(Truth(np.array([0, 0, 1, 2]))) == 0.5
    assert SEVERAL.guess(Truth(np.float32([[1, 0], [1, 0], [1, 1], [0, 0]]))) == pytest.approx(6 / 8)
    assert WORDS.guess(Truth(Tags([np.array([0, 0, 1]), np.array([-100, 0])]))) == 0.75
    named = WORDS.with_labels(["O", "B-X", "I-X"])
    assert named.guess(Truth(Tags([np.array([0])]))) == 0.0


def test_nothing_is_retained_of_a_guess() -> None:
    assert retained(0.9, 0.95, 0.5) == pytest.approx(0.9 / 0.95)
    assert retained(0.0, 0.0) is None and retained(0.5, 0.5, 0.5) is None and retained(0.6, 0.4, 0.5) is None
    assert "no better than a guess" in _meaningless({"test_accuracy": 0.5, "test_guess": 0.6})[0]
    assert _meaningless({"test_accuracy": 0.7, "test_guess": 0.6}) == []


def test_names() -> None:
    def config(*names: str) -> SimpleNamespace:
        return SimpleNamespace(id2label=dict(enumerate(names)), architectures=["BertForSequenceClassification"])

    assert label_order(config(" B", "a "), ["A", "b"]) == [1, 0]
    assert label_order(config("LABEL_0", "LABEL_1", "LABEL_2"), ["a", "b"]) is None
    shown = Measured([1, 0], 0.9, 0.1, 0.5, 200, True).shown("accuracy")
    assert "10.0 % accuracy on 200 training rows" in shown and "50.0 %" in shown


@pytest.fixture
def knowing(tiny_encoder: Path, splits: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Folders of a teacher whose head was fitted to the tiny task, its outputs named and ordered as asked."""
    from potstill.models.tokens import Collator, encode, load_tokenizer

    texts, labels = list(splits.train["text"]), list(splits.train["label"])
    tokenizer = load_tokenizer(tiny_encoder)

    def make(names: list[str], order: list[int], know: bool = True) -> Path:
        folder = tmp_path_factory.mktemp("knowing") / "teacher"
        shutil.copytree(tiny_encoder, folder)
        model = load_encoder(tiny_encoder, labels=names, seed=5).eval()
        rows = encode(tokenizer, texts, 16)
        with torch.no_grad():
            # Layers that change little: the pooled vector tells the words, and a linear head can know the task.
            for weight in model.backbone.encoder.parameters():
                weight.mul_(0.02 if weight.dim() > 1 else 1.0)
            pooled = model(**Collator(0)([{"input_ids": row} for row in rows])).pooled
            read = torch.cat([pooled, torch.ones(len(pooled), 1)], 1).double()
            wanted = torch.nn.functional.one_hot(torch.tensor(labels), 2).double()
            fitted = torch.linalg.lstsq(read, wanted).solution.float()
            if know:
                model.classifier.weight[order] = fitted[:-1].T.contiguous()
                model.classifier.bias[order] = fitted[-1]
        model.save_pretrained(folder)
        return folder

    return make


@pytest.fixture
def take(splits: Any, make_recipe: Callable[..., Any], tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """`finetune` of a teacher's folder; gives its facts."""

    def call(folder: Path, **changes: Any) -> dict[str, Any]:
        recipe = make_recipe(teacher__model=str(folder), teacher__epochs=1, **changes)
        out, work = tmp_path / "out", tmp_path / "work"
        return finetune(recipe, splits, out, cache=tmp_path, work=work, progress=QuietProgress())

    return call


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_a_nameless_head_is_matched(order: list[int], knowing: Any, take: Any, tmp_path: Path) -> None:
    facts = take(knowing(["LABEL_0", "LABEL_1"], order), teacher__finetune="never")
    assert not facts["fine_tuned"] and facts["test_accuracy"] > 0.8 > facts["test_guess"]
    assert load_classifier(tmp_path / "out").config.id2label == {0: "negative", 1: "positive"}


def test_a_nameless_head_that_knows_nothing_is_trained_or_refused(knowing: Any, take: Any) -> None:
    folder = knowing(["LABEL_0", "LABEL_1"], [0, 1], know=False)
    with pytest.raises(TrainError) as error:
        take(folder, teacher__finetune="never")
    assert error.value.code == "T013" and "% accuracy on 96 training rows" in error.value.what
    assert take(folder)["fine_tuned"]


def test_names_that_lie(knowing: Any, take: Any) -> None:
    """The answers count, and the lie is told."""
    facts = take(knowing(["negative", "positive"], [1, 0]), teacher__finetune="never")
    assert facts["test_accuracy"] > 0.8 and "another order" in facts["warnings"][0]
    facts = take(knowing(["positive", "negative"], [1, 0]))
    assert facts["test_accuracy"] > 0.8 and not any("order" in text for text in facts["warnings"])


def test_names_that_fit_a_head_that_guesses(knowing: Any, take: Any) -> None:
    facts = take(knowing(["negative", "positive"], [0, 1], know=False))
    assert not facts["fine_tuned"] and "no better than a guess" in facts["warnings"][0]
