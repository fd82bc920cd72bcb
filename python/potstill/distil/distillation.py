"""The student's whole way: teacher outputs from the cache, initialisation, training, the best epoch, warnings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from potstill.distil.losses.class_weights import chosen
from potstill.distil.students.basis import principal_basis, turned
from potstill.distil.students.registry import make_student
from potstill.distil.teacher.cache import TeacherOutputs, weights_hash
from potstill.distil.teacher.teaching import compares_tokens, teach, token_settings
from potstill.distil.train.arguments import pipeline_arguments
from potstill.distil.train.augment import with_augmented
from potstill.distil.train.averaging import WeightAverage
from potstill.distil.train.checkpoints import KeepBest, latest_checkpoint, prepare_work
from potstill.distil.train.clock import Clock
from potstill.distil.train.diagnosis import StudentFigures, diagnose_losses, diagnose_student
from potstill.distil.train.forward import ForwardProgress
from potstill.distil.train.rows import Rows, encode_rows
from potstill.distil.train.trainer import DistillationTrainer
from potstill.distil.vocabulary.choice import Vocabulary, aligned_ids, choose_vocabulary, vocabulary_facts
from potstill.models.classifier import EncoderClassifier, load_classifier
from potstill.models.evaluation import Outputs, outputs
from potstill.models.heads import Task, Truth, task_of
from potstill.models.heads.embedding import PROJECTION, project
from potstill.models.hub import keep_random_state, quiet_loading
from potstill.models.precision import training_attention
from potstill.models.tokens import Collator, TokenDataset, load_tokenizer
from potstill.work.atomic import atomic_folder
from potstill.work.processes import current
from potstill.work.progress import Progress

# Rows given to the initialisation; it takes what it needs of them.
_SAMPLE_ROWS = 1024
# Training rows whose accuracy is measured at the end.
_TRAIN_SAMPLE = 1000
# Rows of teacher vectors that decide the projection where the initialisation chose none.
_PROJECTION_ROWS = 2048


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
        ``teacher_test_accuracy``, ``retained`` (test, student / teacher; None of a teacher that is never right),
        ``metrics`` (all figures of the task on the test set), ``agreement`` (share of test rows with the teacher's
        answer), ``epochs``, ``best_epoch``, ``parameters``, ``parameters_without_embeddings``, ``vocabulary``
        (`vocabulary_facts`), ``seconds`` (by phase), ``warnings``, ``processes``; with labels also
        ``agreement_where_right`` (of the rows that the teacher has right) and ``train_accuracy`` (first 1,000 labelled
        rows). Nothing in a process that is not the main one.

    Raises:
        TrainError: T0.. as the parts.
    """
    clock = Clock()
    labels, settings = list(splits.labels), recipe.distil
    task = task_of(recipe).with_labels(labels)
    weights = weights_hash(teacher_dir)
    tokenizer = load_tokenizer(teacher_dir)
    teacher = load_classifier(teacher_dir)
    everyone = current()
    splits = with_augmented(splits, tokenizer, teacher, copies=settings.augment, seed=recipe.seed, progress=progress)
    # The teacher reads its own ids whatever the student reads: its outputs are cached once for all students.
    read = encode_rows(tokenizer, splits, recipe.data.max_tokens, task)
    train, labelled = read.train.ids, read.labelled
    vocabulary = choose_vocabulary(recipe.student, tokenizer, train[:labelled], train[labelled:])
    rows = read
    if vocabulary.kept is not None:
        rows = encode_rows(vocabulary.tokenizer, splits, recipe.data.max_tokens, task)
    shown, types, words = read.train.ids, read.train.types, read.train.words
    if vocabulary.kept is not None and compares_tokens(settings):
        # Token by token the two must be cut alike, and every piece of the student's is one of the teacher's.
        shown = rows.train.extra["teacher_input_ids"] = aligned_ids(rows.train.ids, vocabulary.kept)
        types, words = rows.train.types, rows.train.words
        if types is not None:
            rows.train.extra["teacher_token_type_ids"] = types
    if not task.labelled:
        rows.teacher = {name: outputs(teacher, getattr(read, name).ids, pad_id=read.pad_id) for name in _MEASURED}
    clock.lap("load")
    note = {
        "student": recipe.student.model_dump(),
        "distil": settings.model_dump(),
        "seed": recipe.seed,
        "max_tokens": recipe.data.max_tokens,
        "data": splits.fingerprint,
        "teacher": weights,
        **({"task": task.name} if task.name != "classification" else {}),
    }
    everyone.broadcast(lambda: prepare_work(work, note))
    student, projection = _start(recipe, teacher, labels, rows, vocabulary, work, progress)
    clock.lap("initialise")
    taught = teach(
        rows.train, student, teacher, weights, recipe,
        ids=shown, types=types, words=words, pad_id=read.pad_id, cache=cache, progress=progress,
    )  # fmt: skip
    if projection is not None and not getattr(teacher.config, "pools_states", True):
        # The axes are of its states, not of what it makes of them.
        projection = everyone.broadcast(lambda: _vector_axes(student, rows, taught))
    elif projection is None and not task.labelled and taught.pooled.shape[1] != student.config.hidden_size:
        sample = taught.pooled.array()[:_PROJECTION_ROWS]
        projection = everyone.broadcast(lambda: principal_basis(sample, student.config.hidden_size))
    rows.projection = None if task.labelled else projection
    clock.lap("teacher_outputs")
    history = train_student(student, teacher, projection, rows, recipe, work, progress)
    clock.lap("train")
    if not everyone.main:
        return {}
    out.mkdir(parents=True, exist_ok=True)
    with quiet_loading():
        student.save_pretrained(str(out))
        vocabulary.tokenizer.save_pretrained(str(out))
    if rows.projection is not None:
        np.save(out / PROJECTION, rows.projection)
    metrics = _measure(out, teacher, rows, read, task, progress)
    if task.labelled:
        figures = _figures(student.eval(), rows, taught, metrics, history, task)
        metrics["train_accuracy"] = figures.train
        metrics["warnings"] = diagnose_student(figures, settings)
    else:
        metrics["warnings"] = diagnose_losses(_losses(history), settings.learning_rate, "distil.learning_rate")
    clock.lap("evaluate")
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


_MEASURED = ("validation", "test")


def _vector_axes(student: nn.Module, rows: Rows, taught: TeacherOutputs) -> np.ndarray:
    """``[teacher's width, student hidden]``: the principal axes of the teacher's vectors, turned to where the student's
    are at the start, so that it need not learn a rotation.
    """
    ids = rows.train.ids[:_PROJECTION_ROWS]
    types = None if rows.train.types is None else rows.train.types[:_PROJECTION_ROWS]
    own = outputs(student, ids, pad_id=rows.pad_id, types=types).pooled
    theirs = taught.pooled.array()[: len(own)]
    return turned(principal_basis(theirs, own.shape[1]), theirs, own)


def _losses(history: list[dict[str, Any]]) -> list[float]:
    return [entry["loss"] for entry in history if entry["loss"] is not None]


def _figures(
    student: nn.Module,
    rows: Rows,
    taught: TeacherOutputs,
    metrics: dict[str, Any],
    history: list[dict[str, Any]],
    task: Task,
) -> StudentFigures:
    """What `diagnosis` looks at; the student's accuracy on training rows is that of the first labelled ones."""
    count = min(rows.labelled, _TRAIN_SAMPLE)
    on_train = taught_train = None
    if count:
        truth = Truth(rows.train.labels[:count])
        on_train = task.score(_answers(student, rows.train, rows.pad_id, count), truth)
        known = [taught.logits[row] for row in range(count)]
        logits = np.concatenate(known) if task.words else np.stack(known)
        taught_train = task.score(Outputs(logits, logits[:, :0]), truth)
    return StudentFigures(
        train=on_train,
        validation=metrics["validation_accuracy"],
        test=metrics["test_accuracy"],
        teacher_train=taught_train,
        teacher_test=metrics["teacher_test_accuracy"],
        agreement=metrics["agreement"],
        agreement_where_right=metrics["agreement_where_right"],
        losses=_losses(history),
        test_rows=len(rows.test),
    )


def _answers(model: nn.Module, part: TokenDataset, pad_id: int, count: int | None = None, **more: Any) -> Outputs:
    """The outputs for the first ``count`` rows, or all."""
    types, words = (None if column is None else column[:count] for column in (part.types, part.words))
    return outputs(model, part.ids[:count], pad_id=pad_id, types=types, words=words, **more)


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
        types = None if rows.train.types is None else rows.train.types[::step][:_SAMPLE_ROWS]
        job = make_student(
            recipe.student, teacher, labels, sample,
            pad_id=rows.pad_id, seed=recipe.seed, kept=vocabulary.kept, types=types,
            longest=max(recipe.data.max_tokens, recipe.compile.max_tokens or 0),
        )  # fmt: skip
        if types is not None:
            job.student.config.text_pair = True
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
        recipe: ``task``, ``distil`` and ``seed`` are read.
        work: checkpoints; an interrupted run goes on from them.
        progress: told about steps and epochs.
        what: name of the model in messages.
        start: the weights given count as epoch 0.

    Returns:
        The evaluations of `KeepBest`, one for each epoch.
    """
    settings, names = recipe.distil, student.config.id2label
    task = task_of(recipe).with_labels([names[index] for index in range(len(names))])
    losses, truth = task.loss_weights(settings), rows.truth("validation")

    def measure(candidate: nn.Module) -> float:
        return task.score(_answers(candidate, rows.validation, rows.pad_id, precision=settings.precision), truth)

    def announce(epoch: int, value: float, best: bool) -> None:
        shown = f"validation {task.metric} {100 * value:.1f} %"
        progress.message(f"  {what}, epoch {epoch}: {shown}{', best' if best else ''}")

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
    with quiet_loading(), progress.task(what, unit="steps") as shown:
        trainer = DistillationTrainer(
            student_model=student,
            # Without losses of tokens the columns hold all that the teacher has to say.
            teacher_model=teacher if compares_tokens(settings) else None,
            temperature=settings.temperature,
            alpha=settings.alpha,
            pooled_cosine=settings.pooled_cosine,
            loss_weights=losses,
            class_weights=chosen(settings, rows.train.labels, len(names)),
            pooled_projection=projection,
            **token_settings(settings),
            args=arguments,
            train_dataset=rows.train,
            data_collator=Collator(rows.pad_id, per_token=task.words),
            callbacks=[ForwardProgress(shown), keep],
        )
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    keep.restore_best(student)
    return keep.history


def _measure(out: Path, teacher: nn.Module, rows: Rows, read: Rows, task: Task, progress: Progress) -> dict[str, Any]:
    """Figures in f32 of the student as saved, beside the teacher's."""
    student = load_classifier(out)
    answers: dict[str, Outputs] = {}
    for name, model, given in (("student", student, rows), ("teacher", teacher, read)):
        known = rows.teacher.get("test") if name == "teacher" else None
        answers[name] = known or _answers(
            model, given.test, given.pad_id, progress=progress, what=f"{name} on the test set"
        )
    on_validation = _answers(student, rows.validation, rows.pad_id)
    truth = rows.truth("test")
    projected = Outputs(answers["teacher"].logits, project(answers["teacher"].pooled, rows.projection))
    figures, taught = task.metrics(answers["student"], truth), task.score(projected, truth)
    found = {
        "metric": task.metric,
        "validation_accuracy": task.score(on_validation, rows.truth("validation")),
        "test_accuracy": figures[task.metric],
        "teacher_test_accuracy": taught,
        "retained": figures[task.metric] / taught if taught else None,
        "agreement": task.agreement(answers["student"], projected),
        "metrics": figures,
    }
    if task.labelled:
        right = task.right(answers["teacher"], truth)
        student_right, teacher_right = (Outputs(a.logits[right], a.pooled[right]) for a in answers.values())
        found["agreement_where_right"] = task.agreement(student_right, teacher_right)
    return found


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
