"""The student's whole way: teacher outputs from the cache, initialisation, training, the best epoch, warnings."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from potstill.distil.arguments import pipeline_arguments
from potstill.distil.averaging import WeightAverage
from potstill.distil.checkpoints import KeepBest, latest_checkpoint, prepare_work
from potstill.distil.evaluate import Outputs, outputs
from potstill.distil.forward import ForwardProgress
from potstill.distil.hub import keep_random_state, quiet_loading
from potstill.distil.losses import POOLED
from potstill.distil.modeling import EncoderClassifier, load_classifier
from potstill.distil.precision import training_attention
from potstill.distil.students.basis import principal_basis
from potstill.distil.students.registry import make_student
from potstill.distil.tasks import Task, Truth, task_named, task_of
from potstill.distil.tasks.embedding import PROJECTION, project
from potstill.distil.teacher_cache import TeacherOutputs, teacher_outputs, weights_hash
from potstill.distil.tokens import NO_LABEL, Collator, TokenDataset, encode, encode_rows, load_tokenizer
from potstill.distil.trainer import DistillationTrainer
from potstill.pipeline.progress import Progress
from potstill.pipeline.store import atomic_folder

# A student this far under its teacher (share of the test set) deserves a word.
FAR_BEHIND = 0.03
# Rows given to the initialisation; it takes what it needs of them.
_SAMPLE_ROWS = 1024
# Rows of teacher vectors that decide the projection where the initialisation chose none.
_PROJECTION_ROWS = 2048


@dataclass
class _Rows:
    """Token rows of everything training looks at."""

    train: TokenDataset
    validation: TokenDataset
    test: TokenDataset
    pad_id: int
    # Set for a task that learns vectors: the teacher's of the split, and the way into the student's space.
    teacher: dict[str, Outputs] = field(default_factory=dict)
    projection: np.ndarray | None = None

    def truth(self, split: str) -> Truth:
        """What outputs for a split are measured against."""
        vectors = self.teacher[split].pooled if split in self.teacher else None
        return Truth(getattr(self, split).labels, vectors, self.projection)


@keep_random_state()
def distil(
    recipe: Any, splits: Any, teacher_dir: Path, out: Path, *, cache: Path, work: Path, progress: Progress
) -> dict[str, Any]:
    """Distil the teacher into the recipe's student and write it, with the tokenizer, to ``out``.

    Unlabelled texts join the training rows with the teacher's outputs alone. Training resumes from the last checkpoint
    in ``work``; the student of the best epoch on the validation set is kept.

    Args:
        recipe: needs ``task``, ``student``, ``distil``, ``data.max_tokens`` and ``seed``.
        splits: needs ``train``, ``validation``, ``test`` (columns text, label), ``unlabelled`` (text, or None),
            ``labels`` and ``fingerprint``.
        teacher_dir: the teacher's folder.
        out: folder to write.
        cache: teacher outputs are kept under ``teacher-outputs/``.
        work: checkpoints; survives kills.
        progress: told about steps and epochs.

    Returns:
        ``metric`` (what the task calls accuracy), ``validation_accuracy``, ``test_accuracy``,
        ``teacher_test_accuracy``, ``retained`` (test, student / teacher), ``agreement`` (share of test rows with the
        teacher's answer), ``metrics`` (all figures of the task on the test set), ``epochs``, ``best_epoch``,
        ``parameters``, ``parameters_without_embeddings``, ``seconds`` (by phase), ``warnings``.

    Raises:
        TrainError: T0.. as the parts.
    """
    clock = _Clock()
    labels, settings, task = list(splits.labels), recipe.distil, task_of(recipe)
    losses = task.loss_weights(settings)
    weights = weights_hash(teacher_dir)
    tokenizer = load_tokenizer(teacher_dir)
    teacher = load_classifier(teacher_dir)
    rows = _encode(tokenizer, splits, recipe.data.max_tokens, task)
    clock.lap("load")
    taught = teacher_outputs(
        teacher,
        weights,
        rows.train.ids,
        max_tokens=recipe.data.max_tokens,
        cache=cache,
        pad_id=rows.pad_id,
        precision=settings.precision,
        progress=progress,
        rank=int(os.environ.get("RANK", "0")),
        ranks=int(os.environ.get("WORLD_SIZE", "1")),
        types=rows.train.types,
    )
    if taught.logits.shape[1]:
        rows.train.extra["teacher_logits"] = taught.logits
    if any(losses.get(name, 0.0) > 0 for name in POOLED):
        rows.train.extra["teacher_pooled"] = taught.pooled
    if not task.labelled:
        rows.teacher = {name: outputs(teacher, getattr(rows, name).ids, pad_id=rows.pad_id) for name in _MEASURED}
    clock.lap("teacher_outputs")
    note = {
        "student": recipe.student.model_dump(),
        "distil": settings.model_dump(),
        "seed": recipe.seed,
        "max_tokens": recipe.data.max_tokens,
        "data": splits.fingerprint,
        "teacher": weights,
        **({"task": task.name} if task.name != "classification" else {}),
    }
    prepare_work(work, note)
    student, projection = _start(recipe, teacher, labels, rows, work, progress)
    if projection is None and not task.labelled and taught.pooled.shape[1] != student.config.hidden_size:
        projection = principal_basis(taught.pooled.array()[:_PROJECTION_ROWS], student.config.hidden_size)
    rows.projection = None if task.labelled else projection
    clock.lap("initialise")
    history = _train(student, projection, losses, task, rows, recipe, work, progress)
    clock.lap("train")
    out.mkdir(parents=True, exist_ok=True)
    with quiet_loading():
        student.save_pretrained(str(out))
        tokenizer.save_pretrained(str(out))
    if rows.projection is not None:
        np.save(out / PROJECTION, rows.projection)
    metrics = _measure(out, teacher, rows, task, progress)
    clock.lap("evaluate")
    metrics["warnings"] = sanity(metrics, settings, taught, rows.train.labels, task) if task.labelled else []
    best = max(history, key=lambda entry: entry["accuracy"], default=None)
    return {
        "epochs": history,
        "best_epoch": int(best["epoch"]) if best else 0,
        "parameters": _count(student),
        "parameters_without_embeddings": _count(student) - _count(student.backbone.embeddings),
        "seconds": clock.laps,
        **metrics,
    }


_MEASURED = ("validation", "test")


def sanity(
    metrics: dict[str, Any], settings: Any, taught: TeacherOutputs, labels: np.ndarray, task: Task | None = None
) -> list[str]:
    """Sentences on settings and results that usually mean something went wrong; ``task`` None: classification."""
    task = task or task_named("classification")
    notes = []
    if not 1 <= settings.temperature <= 4:
        notes.append(f"temperature {settings.temperature:g} is outside the usual 1 to 4")
    if settings.alpha > 0.7:
        notes.append(f"alpha {settings.alpha:g} leaves the teacher little say; 0 to 0.7 is usual")
    behind = metrics["teacher_test_accuracy"] - metrics["test_accuracy"]
    if behind > FAR_BEHIND:
        notes.append(
            f"the student is {100 * behind:.1f} points under the teacher: check the temperature (1 to 3), "
            "train longer, add unlabelled text, or use a larger student"
        )
    labelled = (labels if labels.ndim == 1 else labels[:, 0]) != NO_LABEL
    if labelled.any():
        logits = taught.logits.array()[labelled]
        seen = task.score(Outputs(logits, logits[:, :0]), Truth(labels[labelled]))
        gap = seen - metrics["teacher_test_accuracy"]
        if gap > 0.15:
            notes.append(
                f"the teacher looks overfitted: {100 * gap:.1f} points better on training than on test rows, "
                "so its outputs on the training text say little; use fewer epochs or add unlabelled text"
            )
    return notes


def _encode(tokenizer: Any, splits: Any, max_tokens: int, task: Task) -> _Rows:
    def labelled(name: str) -> TokenDataset:
        dataset = getattr(splits, name)
        labels = task.label_array(list(dataset["label"]), len(splits.labels))
        ids, types = encode_rows(tokenizer, dataset, max_tokens)
        return TokenDataset(ids, labels, types=types)

    train = labelled("train")
    if splits.unlabelled is not None and len(splits.unlabelled):
        more = encode(tokenizer, list(splits.unlabelled["text"]), max_tokens)
        none = np.full((len(more), *train.labels.shape[1:]), NO_LABEL, train.labels.dtype)
        train = TokenDataset([*train.ids, *more], np.concatenate([train.labels, none]))
    return _Rows(train, labelled("validation"), labelled("test"), int(tokenizer.pad_token_id))


def _start(
    recipe: Any, teacher: nn.Module, labels: list[str], rows: _Rows, work: Path, progress: Progress
) -> tuple[EncoderClassifier, np.ndarray | None]:
    """The initialised student; kept in the work folder, since a resumed run needs the same axes."""
    folder = work / "start"
    if not folder.is_dir():
        progress.message(f"  student: {recipe.student.init} initialisation from the teacher")
        # An even sample: rows of unlabelled text, at the end, count too.
        step = max(1, len(rows.train) // _SAMPLE_ROWS)
        sample = rows.train.ids[::step][:_SAMPLE_ROWS]
        types = None if rows.train.types is None else rows.train.types[::step][:_SAMPLE_ROWS]
        job = make_student(recipe.student, teacher, labels, sample, pad_id=rows.pad_id, seed=recipe.seed, types=types)
        if types is not None:
            job.student.config.text_pair = True
        with atomic_folder(folder) as temporary, quiet_loading():
            job.student.save_pretrained(str(temporary))
            if job.projection is not None:
                np.save(temporary / "projection.npy", job.projection)
    with quiet_loading():
        student = EncoderClassifier.from_pretrained(
            str(folder), dtype=torch.float32, attn_implementation=training_attention()
        )
    axes = folder / "projection.npy"
    return student.train(), np.load(axes) if axes.is_file() else None


def _train(
    student: EncoderClassifier,
    projection: np.ndarray | None,
    losses: dict[str, float],
    task: Task,
    rows: _Rows,
    recipe: Any,
    work: Path,
    progress: Progress,
) -> list[dict[str, float]]:
    settings = recipe.distil
    truth = rows.truth("validation")

    def measure(candidate: nn.Module) -> float:
        found = outputs(
            candidate,
            rows.validation.ids,
            pad_id=rows.pad_id,
            precision=settings.precision,
            types=rows.validation.types,
        )
        return task.score(found, truth)

    def announce(epoch: int, value: float, best: bool) -> None:
        shown = f"validation {task.metric} {100 * value:.1f} %"
        progress.message(f"  student, epoch {epoch}: {shown}{', best' if best else ''}")

    keep = KeepBest(
        measure, work, patience=None, save_steps=settings.save_steps, announce=announce, average=WeightAverage()
    )
    arguments = pipeline_arguments(
        work,
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        batch_size=settings.batch_size,
        warmup=settings.warmup,
        seed=recipe.seed,
        precision=settings.precision,
    )
    checkpoint = latest_checkpoint(work)
    keep.resume(checkpoint)
    with quiet_loading(), progress.task("student", unit="steps") as shown:
        trainer = DistillationTrainer(
            student_model=student,
            temperature=settings.temperature,
            alpha=settings.alpha,
            pooled_cosine=settings.pooled_cosine,
            loss_weights=losses,
            pooled_projection=projection,
            args=arguments,
            train_dataset=rows.train,
            data_collator=Collator(rows.pad_id),
            callbacks=[ForwardProgress(shown), keep],
        )
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    keep.restore_best(student)
    return keep.history


def _measure(out: Path, teacher: nn.Module, rows: _Rows, task: Task, progress: Progress) -> dict[str, Any]:
    """Figures in f32 of the student as saved, beside the teacher's."""
    student = load_classifier(out)
    answers: dict[str, Outputs] = {}
    for name, model in (("student", student), ("teacher", teacher)):
        known = rows.teacher.get("test") if name == "teacher" else None
        answers[name] = known or outputs(
            model,
            rows.test.ids,
            pad_id=rows.pad_id,
            progress=progress,
            what=f"{name} on the test set",
            types=rows.test.types,
        )
    on_validation = outputs(student, rows.validation.ids, pad_id=rows.pad_id, types=rows.validation.types)
    truth = rows.truth("test")
    projected = Outputs(answers["teacher"].logits, project(answers["teacher"].pooled, rows.projection))
    figures, taught = task.metrics(answers["student"], truth), task.score(projected, truth)
    return {
        "metric": task.metric,
        "validation_accuracy": task.score(on_validation, rows.truth("validation")),
        "test_accuracy": figures[task.metric],
        "teacher_test_accuracy": taught,
        "retained": figures[task.metric] / taught if taught else 0.0,
        "agreement": task.agreement(answers["student"], projected),
        "metrics": figures,
    }


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


class _Clock:
    """Seconds of each phase, and their sum under ``total``."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {"total": 0.0}
        self._start = self._last = time.monotonic()

    def lap(self, name: str) -> None:
        now = time.monotonic()
        self.laps[name] = round(now - self._last, 1)
        self.laps["total"] = round(now - self._start, 1)
        self._last = now
