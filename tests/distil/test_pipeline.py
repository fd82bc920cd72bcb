"""Fine-tuning and distilling as the pipeline calls them: results, resuming after a kill, what is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from heard import Heard
from killed import Killed, kill_after, same, weights
from longer import longer
from potstill.distil.distillation import distil
from potstill.distil.teacher.finetune import finetune
from potstill.distil.teacher.label_order import label_order
from potstill.distil.train import checkpoints
from potstill.errors import TrainError
from potstill.models.classifier import load_classifier
from potstill.models.evaluation import accuracy
from potstill.work.progress import QuietProgress


@pytest.fixture
def train(splits: Any, make_recipe: Callable[..., Any], tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Call `finetune` in folders of this test."""

    def call(name: str, **changes: Any) -> dict[str, Any]:
        progress = changes.pop("progress", QuietProgress())
        out, work = tmp_path / name, tmp_path / f"{name}.work"
        return finetune(make_recipe(**changes), splits, out, cache=tmp_path / "cache", work=work, progress=progress)

    return call


def test_the_teacher_learns_and_is_written(train: Any, splits: Any, tmp_path: Path) -> None:
    progress = Heard()
    metrics = train("teacher", teacher__epochs=10, teacher__early_stopping_patience=0, progress=progress)
    assert metrics["fine_tuned"] and metrics["test_accuracy"] > 0.8
    assert 1 <= metrics["best_epoch"] <= len(metrics["epochs"]) == 10
    assert len(progress.messages) == len(metrics["epochs"])
    folder = tmp_path / "teacher"
    assert accuracy(folder, splits.test, 16) == pytest.approx(metrics["test_accuracy"])
    assert accuracy(folder, splits.validation, 16) == pytest.approx(metrics["validation_accuracy"])
    best = max(entry["accuracy"] for entry in metrics["epochs"])
    assert metrics["validation_accuracy"] == pytest.approx(best)
    assert load_classifier(folder).config.id2label == {0: "negative", 1: "positive"}
    json.dumps(metrics)


def test_early_stopping_keeps_the_best(train: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    values = iter([0.5, 0.9, 0.7, 0.8, 0.95, 0.99])
    kept: list[dict[str, torch.Tensor]] = []

    def scripted(self: checkpoints.KeepBest, state: Any, model: Any, epoch: int) -> None:
        self.measure = lambda _: next(values)
        kept.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
        original(self, state, model, epoch)

    original = checkpoints.KeepBest._evaluate_weights
    monkeypatch.setattr(checkpoints.KeepBest, "_evaluate_weights", scripted)
    metrics = train("teacher", teacher__epochs=6)
    assert [entry["accuracy"] for entry in metrics["epochs"]] == [0.5, 0.9, 0.7, 0.8]
    assert metrics["best_epoch"] == 2
    assert same(weights(tmp_path / "teacher"), kept[1])


@pytest.mark.parametrize("writes", [4, *longer(0, 1)])
def test_a_killed_teacher_run_resumes_to_the_same_bits(
    train: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, writes: int
) -> None:
    monkeypatch.setattr("potstill.distil.teacher.finetune.SAVE_STEPS", 4)
    whole = train("whole")
    with monkeypatch.context() as patch:
        kill_after(patch, writes)
        with pytest.raises(Killed):
            train("broken")
    assert not (tmp_path / "broken").exists()
    work = tmp_path / "broken.work"
    halves = [path for path in work.glob("checkpoint-*") if not (path / checkpoints.MARKER).is_file()]
    assert len(halves) == 1
    resumed = train("broken")
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "broken"))
    assert [entry["accuracy"] for entry in resumed["epochs"]] == [entry["accuracy"] for entry in whole["epochs"]]


def test_a_model_with_our_labels_is_taken_as_it_is(train: Any, tiny_teacher: Path, tmp_path: Path) -> None:
    metrics = train("teacher", teacher__model=str(tiny_teacher))
    assert not metrics["fine_tuned"] and metrics["epochs"] == []
    assert same(weights(tmp_path / "teacher"), weights(tiny_teacher))


def test_labels_in_another_order_are_put_in_ours(train: Any, splits: Any, tiny_teacher: Path, tmp_path: Path) -> None:
    splits.labels = ["POSITIVE", "negative"]
    train("teacher", teacher__model=str(tiny_teacher))
    ids = torch.tensor([[2, 5, 14, 3]])
    ours, theirs = (load_classifier(folder)(ids).logits for folder in (tmp_path / "teacher", tiny_teacher))
    torch.testing.assert_close(ours, theirs[:, [1, 0]])
    assert not torch.allclose(ours, theirs)


def test_never_finetune_needs_a_head(train: Any, splits: Any, tiny_teacher: Path) -> None:
    with pytest.raises(TrainError) as error:
        train("teacher", teacher__finetune="never")
    assert error.value.code == "T013"
    splits.labels = ["negative", "neutral", "positive"]
    with pytest.raises(TrainError) as error:
        train("teacher", teacher__finetune="never", teacher__model=str(tiny_teacher))
    assert error.value.code == "T013"


def test_label_order() -> None:
    def config(*names: str) -> SimpleNamespace:
        return SimpleNamespace(id2label=dict(enumerate(names)), architectures=["BertForSequenceClassification"])

    assert label_order(config("b", "A"), ["a", "b"]) == [1, 0]
    assert label_order(config("LABEL_0", "LABEL_1"), ["a", "b"]) == [0, 1]
    assert label_order(config("a", "c"), ["a", "b"]) is None
    assert label_order(config("a", "b", "c"), ["a", "b"]) is None
    encoder = SimpleNamespace(id2label={0: "LABEL_0", 1: "LABEL_1"}, architectures=["BertModel"])
    assert label_order(encoder, ["a", "b"]) is None


@pytest.fixture
def make_student(
    splits: Any, make_recipe: Callable[..., Any], tiny_teacher: Path, tmp_path: Path
) -> Callable[..., dict[str, Any]]:
    """Call `distil` in folders of this test, all with one cache."""

    def call(name: str, **changes: Any) -> dict[str, Any]:
        return distil(
            make_recipe(**changes),
            splits,
            tiny_teacher,
            tmp_path / name,
            cache=tmp_path / "cache",
            work=tmp_path / f"{name}.work",
            progress=QuietProgress(),
        )

    return call


def test_the_student_learns_the_teachers_answers(make_student: Any, splits: Any, tmp_path: Path) -> None:
    metrics = make_student("student", distil__epochs=8, distil__alpha=0.0, distil__pooled_cosine=1.0)
    assert metrics["agreement"] > 0.8
    assert metrics["retained"] == pytest.approx(metrics["test_accuracy"] / metrics["teacher_test_accuracy"])
    assert accuracy(tmp_path / "student", splits.test, 16) == pytest.approx(metrics["test_accuracy"])
    assert len(metrics["epochs"]) == 8
    assert {"teacher_outputs", "initialise", "train", "total"} <= metrics["seconds"].keys()
    config = load_classifier(tmp_path / "student").config
    assert (config.hidden_size, config.num_hidden_layers, config.id2label[1]) == (16, 2, "positive")
    # 96 labelled and 16 unlabelled rows went through the teacher.
    shards = list((tmp_path / "cache" / "teacher-outputs").glob("*/*.npy"))
    assert [np.load(path).shape for path in shards] == [(112, 2 + 24)]
    json.dumps(metrics)


@pytest.mark.parametrize("writes", [3, *longer(0)])
def test_a_killed_student_run_resumes_to_the_same_bits(
    make_student: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, writes: int
) -> None:
    make_student("whole", distil__pooled_cosine=1.0)
    with monkeypatch.context() as patch:
        kill_after(patch, writes)
        with pytest.raises(Killed):
            make_student("broken", distil__pooled_cosine=1.0)
    make_student("broken", distil__pooled_cosine=1.0)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "broken"))


def test_other_settings_do_not_resume_an_old_run(make_student: Any, tmp_path: Path) -> None:
    make_student("student")
    start = tmp_path / "student.work" / "start" / "config.json"
    assert json.loads(start.read_text())["backbone"]["hidden_size"] == 16
    metrics = make_student("student", student__hidden=8, student__intermediate=16)
    assert json.loads(start.read_text())["backbone"]["hidden_size"] == 8
    assert len(metrics["epochs"]) == 3


def test_two_runs_give_the_same_bits_and_the_seed_matters(make_student: Any, tmp_path: Path) -> None:
    torch.manual_seed(1)
    make_student("first")
    torch.manual_seed(2)
    make_student("second")
    assert same(weights(tmp_path / "first"), weights(tmp_path / "second"))


def test_random_state_outside_is_left_alone(make_student: Any) -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    make_student("student", distil__epochs=1)
    assert torch.rand(3).equal(expected)


def test_a_full_disk_leaves_no_checkpoint_marked_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    from potstill.errors import SystemFailure

    def full(path: Path, *args: Any, **kwargs: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(SystemFailure) as error:
        checkpoints.write_json(tmp_path / checkpoints.MARKER, {})
    assert error.value.code == "S001"
    assert list(tmp_path.iterdir()) == []


TOKEN_LOSSES = {"distil__hidden": 1.0, "distil__attention": 0.5, "distil__relations": 0.5, "distil__embedding": 0.5}


def test_token_losses_from_the_cache_and_from_the_live_teacher(make_student: Any, tmp_path: Path) -> None:
    cached = make_student("cached", **TOKEN_LOSSES)
    # Places 0-3: embedding 0, layers 1 and 2 of 3 read places 1 and 2 and give 2 and 3, relations read place 2.
    folders = sorted(path.name for path in (tmp_path / "cache").rglob("state-*"))
    assert folders == [f"state-{place}-f16" for place in range(4)]
    live = make_student("live", **TOKEN_LOSSES, distil__cache_limit=1000)
    ours, theirs = ([entry["loss"] for entry in run["epochs"]] for run in (cached, live))
    # 21 steps, a figure every 20: one is logged.
    assert ours[-1] == pytest.approx(theirs[-1], rel=5e-3)
    assert cached["test_accuracy"] == pytest.approx(live["test_accuracy"], abs=0.07)
    config = load_classifier(tmp_path / "cached").config
    assert config.hidden_size == 16
    assert not list((tmp_path / "cached").glob("*maps*"))


@pytest.mark.parametrize("writes", longer(0, 3))
def test_a_killed_run_with_learned_maps_resumes_to_the_same_bits(
    make_student: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, writes: int
) -> None:
    make_student("whole", **TOKEN_LOSSES)
    with monkeypatch.context() as patch:
        kill_after(patch, writes)
        with pytest.raises(Killed):
            make_student("broken", **TOKEN_LOSSES)
    make_student("broken", **TOKEN_LOSSES)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "broken"))


def test_augmented_texts_are_taught_by_the_teacher_alone(make_student: Any, splits: Any, tmp_path: Path) -> None:
    make_student("student", distil__augment=2, distil__epochs=1)
    rows = [np.load(path).shape[0] for path in (tmp_path / "cache" / "teacher-outputs").glob("*/*.npy")]
    # 96 labelled, 16 unlabelled, at most 2 x 96 new ones; a few may come out as they were.
    assert len(rows) == 1 and 112 + 150 < rows[0] <= 112 + 192
    assert len(splits.unlabelled) == 16


def test_a_student_that_learnt_nothing_is_told_so(make_student: Any) -> None:
    metrics = make_student("student", distil__epochs=1, distil__learning_rate=1e-6)
    assert metrics["warnings"]
    assert 0 <= metrics["train_accuracy"] <= 1 and metrics["processes"] == 1
