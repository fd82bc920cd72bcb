"""The student's whole way: teacher outputs from the cache, initialisation, training, the best epoch, warnings."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from potstill.distil.arguments import pipeline_arguments
from potstill.distil.augment import with_augmented
from potstill.distil.averaging import WeightAverage
from potstill.distil.checkpoints import KeepBest, latest_checkpoint, prepare_work
from potstill.distil.diagnosis import StudentFigures, diagnose_student
from potstill.distil.evaluate import outputs, share_right
from potstill.distil.forward import ForwardProgress
from potstill.distil.hub import keep_random_state, quiet_loading
from potstill.distil.modeling import EncoderClassifier, load_classifier
from potstill.distil.precision import training_attention
from potstill.distil.students.registry import make_student
from potstill.distil.teacher_cache import TeacherOutputs, weights_hash
from potstill.distil.teaching import compares_tokens, teach, token_settings
from potstill.distil.tokens import NO_LABEL, Collator, TokenDataset, encode, load_tokenizer
from potstill.distil.trainer import DistillationTrainer
from potstill.distil.vocabulary import Vocabulary, aligned_ids, choose_vocabulary, vocabulary_facts
from potstill.pipeline.processes import current
from potstill.pipeline.progress import Progress
from potstill.pipeline.store import atomic_folder

# Rows given to the initialisation; it takes what it needs of them.
_SAMPLE_ROWS = 1024
# Training rows whose accuracy is measured at the end.
_TRAIN_SAMPLE = 1000


@dataclass(frozen=True)
class Rows:
    """Token rows of everything training looks at, in one tokenizer's ids."""

    train: TokenDataset
    validation: TokenDataset
    test: TokenDataset
    pad_id: int
    labelled: int


@keep_random_state()
def distil(
    recipe: Any, splits: Any, teacher_dir: Path, out: Path, *, cache: Path, work: Path, progress: Progress
) -> dict[str, Any]:
    """Distil the teacher into the recipe's student and write it, with the tokenizer, to ``out``.

    Unlabelled texts join the training rows with the teacher's outputs alone. Training resumes from the last checkpoint
    in ``work``; the student of the best epoch on the validation set is kept.

    Args:
        recipe: needs ``student``, ``distil``, ``data.max_tokens`` and ``seed``.
        splits: needs ``train``, ``validation``, ``test`` (columns text, label), ``unlabelled`` (text, or None),
            ``labels`` and ``fingerprint``.
        teacher_dir: the teacher's folder.
        out: folder to write.
        cache: teacher outputs are kept under ``teacher-outputs/``.
        work: checkpoints; survives kills.
        progress: told about steps and epochs.

    Returns:
        ``validation_accuracy``, ``test_accuracy``, ``teacher_test_accuracy``, ``retained`` (test, student / teacher),
        ``agreement`` (share of test rows with the teacher's label), ``agreement_where_right`` (of those the teacher has
        right), ``train_accuracy`` (first 1,000 labelled rows), ``epochs``, ``best_epoch``, ``parameters``,
        ``parameters_without_embeddings``, ``vocabulary`` (`vocabulary_facts`), ``seconds`` (by phase), ``warnings``,
        ``processes``; nothing in a process that is not the main one.

    Raises:
        TrainError: T0.. as the parts.
    """
    clock = Clock()
    labels, settings = list(splits.labels), recipe.distil
    weights = weights_hash(teacher_dir)
    tokenizer = load_tokenizer(teacher_dir)
    teacher = load_classifier(teacher_dir)
    everyone = current()
    splits = with_augmented(splits, tokenizer, teacher, copies=settings.augment, seed=recipe.seed, progress=progress)
    # The teacher reads its own ids whatever the student reads: its outputs are cached once for all students.
    read = encode_rows(tokenizer, splits, recipe.data.max_tokens)
    train, labelled = read.train.ids, read.labelled
    vocabulary = choose_vocabulary(recipe.student, tokenizer, train[:labelled], train[labelled:])
    rows = read if vocabulary.kept is None else encode_rows(vocabulary.tokenizer, splits, recipe.data.max_tokens)
    shown = read.train.ids
    if vocabulary.kept is not None and compares_tokens(settings):
        # Token by token the two must be cut alike, and every piece of the student's is one of the teacher's.
        shown = rows.train.extra["teacher_input_ids"] = aligned_ids(rows.train.ids, vocabulary.kept)
    clock.lap("load")
    note = {
        "student": recipe.student.model_dump(),
        "distil": settings.model_dump(),
        "seed": recipe.seed,
        "max_tokens": recipe.data.max_tokens,
        "data": splits.fingerprint,
        "teacher": weights,
    }
    everyone.broadcast(lambda: prepare_work(work, note))
    student, projection = _start(recipe, teacher, labels, rows, vocabulary, work, progress)
    clock.lap("initialise")
    taught = teach(
        rows.train, student, teacher, weights, recipe, ids=shown, pad_id=read.pad_id, cache=cache, progress=progress
    )
    clock.lap("teacher_outputs")
    history = train_student(student, teacher, projection, rows, recipe, work, progress)
    clock.lap("train")
    if not everyone.main:
        return {}
    out.mkdir(parents=True, exist_ok=True)
    with quiet_loading():
        student.save_pretrained(str(out))
        vocabulary.tokenizer.save_pretrained(str(out))
    metrics = _measure(out, teacher, rows, read, progress)
    figures = _figures(student.eval(), rows, taught, metrics, history)
    clock.lap("evaluate")
    metrics["train_accuracy"] = figures.train
    metrics["warnings"] = diagnose_student(figures, settings)
    best = max(history, key=lambda entry: entry["accuracy"], default=None)
    return {
        "epochs": history,
        "best_epoch": int(best["epoch"]) if best else 0,
        "parameters": _count(student),
        "parameters_without_embeddings": _count(student) - _count(student.backbone.embeddings),
        "vocabulary": vocabulary_facts(vocabulary, read.test.ids, rows.test.ids),
        "seconds": clock.laps,
        "processes": everyone.count,
        **metrics,
    }


def _figures(
    student: nn.Module, rows: Rows, taught: TeacherOutputs, metrics: dict[str, Any], history: list[dict[str, Any]]
) -> StudentFigures:
    """What `diagnosis` looks at; the student's accuracy on training rows is that of the first labelled ones."""
    chosen = np.flatnonzero(rows.train.labels != NO_LABEL)[:_TRAIN_SAMPLE]
    on_train = taught_train = None
    if len(chosen):
        truth = rows.train.labels[chosen].tolist()
        found = outputs(student, [rows.train.ids[row] for row in chosen], pad_id=rows.pad_id)
        on_train = share_right(found.logits, truth)
        taught_train = share_right(np.stack([taught.logits[row] for row in chosen]), truth)
    return StudentFigures(
        train=on_train,
        validation=metrics["validation_accuracy"],
        test=metrics["test_accuracy"],
        teacher_train=taught_train,
        teacher_test=metrics["teacher_test_accuracy"],
        agreement=metrics["agreement"],
        agreement_where_right=metrics["agreement_where_right"],
        losses=[entry["loss"] for entry in history if entry["loss"] is not None],
    )


def encode_rows(tokenizer: Any, splits: Any, max_tokens: int) -> Rows:
    """Token rows of all splits; unlabelled texts join the training rows."""

    def labelled(name: str) -> TokenDataset:
        dataset = getattr(splits, name)
        return TokenDataset(encode(tokenizer, list(dataset["text"]), max_tokens), list(dataset["label"]))

    train = labelled("train")
    count = len(train)
    if splits.unlabelled is not None and len(splits.unlabelled):
        more = encode(tokenizer, list(splits.unlabelled["text"]), max_tokens)
        train = TokenDataset([*train.ids, *more], [*train.labels.tolist(), *[NO_LABEL] * len(more)])
    return Rows(train, labelled("validation"), labelled("test"), int(tokenizer.pad_token_id), count)


def _start(
    recipe: Any,
    teacher: nn.Module,
    labels: list[str],
    rows: Rows,
    vocabulary: Vocabulary,
    work: Path,
    progress: Progress,
) -> tuple[EncoderClassifier, np.ndarray | None]:
    """The initialised student; kept in the work folder, since a resumed run needs the same axes."""
    folder = work / "start"

    def make() -> None:
        if folder.is_dir():
            return
        if vocabulary.kept is not None:
            progress.message(f"  student: {vocabulary.size:,} of the teacher's {vocabulary.teacher_size:,} tokens kept")
        progress.message(f"  student: {recipe.student.init} initialisation from the teacher")
        # An even sample: rows of unlabelled text, at the end, count too.
        step = max(1, len(rows.train) // _SAMPLE_ROWS)
        sample = rows.train.ids[::step][:_SAMPLE_ROWS]
        job = make_student(
            recipe.student, teacher, labels, sample, pad_id=rows.pad_id, seed=recipe.seed, kept=vocabulary.kept
        )
        with atomic_folder(folder) as temporary, quiet_loading():
            job.student.save_pretrained(str(temporary))
            if job.projection is not None:
                np.save(temporary / "projection.npy", job.projection)

    current().broadcast(make)
    with quiet_loading():
        student = EncoderClassifier.from_pretrained(
            str(folder), dtype=torch.float32, attn_implementation=training_attention()
        )
    axes = folder / "projection.npy"
    return student.train(), np.load(axes) if axes.is_file() else None


def train_student(
    student: EncoderClassifier,
    teacher: nn.Module,
    projection: np.ndarray | None,
    rows: Rows,
    recipe: Any,
    work: Path,
    progress: Progress,
    *,
    what: str = "student",
    start: bool = False,
) -> list[dict[str, Any]]:
    """Train with the settings in ``recipe.distil`` and leave the best weights in the student.

    Args:
        student: as initialised, in training mode.
        projection: ``[teacher hidden, student hidden]`` f32 for the pooled vectors, or None.
        rows: the training rows with the teacher's outputs, and validation rows.
        recipe: ``distil`` and ``seed`` are read.
        work: checkpoints; an interrupted run goes on from them.
        progress: told about steps and epochs.
        what: name of the model in messages.
        start: the weights given count as epoch 0.

    Returns:
        The evaluations of `KeepBest`, one for each epoch.
    """
    settings = recipe.distil

    def measure(candidate: nn.Module) -> float:
        found = outputs(candidate, rows.validation.ids, pad_id=rows.pad_id, precision=settings.precision)
        return share_right(found.logits, rows.validation.labels.tolist())

    def announce(epoch: int, value: float, best: bool) -> None:
        progress.message(f"  {what}, epoch {epoch}: validation accuracy {100 * value:.1f} %{', best' if best else ''}")

    keep = KeepBest(
        measure,
        work,
        patience=None,
        save_steps=settings.save_steps,
        announce=announce,
        average=WeightAverage(),
        start=start,
    )
    arguments = pipeline_arguments(
        work,
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        batch_size=settings.batch_size,
        warmup=settings.warmup,
        seed=recipe.seed,
        precision=settings.precision,
        key="distil.batch_size",
    )
    checkpoint = current().broadcast(lambda: latest_checkpoint(work))
    keep.resume(checkpoint)
    with quiet_loading(), progress.task(what, unit="steps") as task:
        trainer = DistillationTrainer(
            student_model=student,
            # Without losses of tokens the columns hold all that the teacher has to say.
            teacher_model=teacher if compares_tokens(settings) else None,
            temperature=settings.temperature,
            alpha=settings.alpha,
            pooled_cosine=settings.pooled_cosine,
            pooled_projection=projection,
            **token_settings(settings),
            args=arguments,
            train_dataset=rows.train,
            data_collator=Collator(rows.pad_id),
            callbacks=[ForwardProgress(task), keep],
        )
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    keep.restore_best(student)
    return keep.history


def _measure(out: Path, teacher: nn.Module, rows: Rows, read: Rows, progress: Progress) -> dict[str, Any]:
    """Accuracies in f32 of the student as saved, beside the teacher's."""
    student = load_classifier(out)
    found: dict[str, Any] = {}
    logits: dict[str, np.ndarray] = {}
    truth: Sequence[int] = rows.test.labels.tolist()
    for name, model, given in (("student", student, rows), ("teacher", teacher, read)):
        logits[name] = outputs(
            model, given.test.ids, pad_id=given.pad_id, progress=progress, what=f"{name} on the test set"
        ).logits
    on_validation = outputs(student, rows.validation.ids, pad_id=rows.pad_id).logits
    found["validation_accuracy"] = share_right(on_validation, rows.validation.labels.tolist())
    found["test_accuracy"] = share_right(logits["student"], truth)
    found["teacher_test_accuracy"] = share_right(logits["teacher"], truth)
    taught = found["teacher_test_accuracy"]
    found["retained"] = found["test_accuracy"] / taught if taught else 0.0
    theirs = logits["teacher"].argmax(axis=1)
    found["agreement"] = share_right(logits["student"], theirs.tolist())
    right = theirs == np.asarray(truth)
    found["agreement_where_right"] = share_right(logits["student"][right], theirs[right].tolist())
    return found


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


class Clock:
    """Seconds of each phase, and their sum under ``total``."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {"total": 0.0}
        self._start = self._last = time.monotonic()

    def lap(self, name: str) -> None:
        now = time.monotonic()
        self.laps[name] = round(now - self._last, 1)
        self.laps["total"] = round(now - self._start, 1)
        self._last = now
