"""The student's whole way: teacher outputs from the cache, initialisation, training, the best epoch, warnings."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from potstill.distil.lesson import Lesson, read_lesson
from potstill.distil.students.basis import principal_basis, turned
from potstill.distil.students.job import Job, make_student
from potstill.distil.students.widened import widened
from potstill.distil.teacher.cache import TeacherOutputs
from potstill.distil.teacher.teaching import Teacher, compares_tokens, teach
from potstill.distil.train.arguments import Schedule
from potstill.distil.train.checkpoints import prepare_work
from potstill.distil.train.class_weights import chosen
from potstill.distil.train.clock import Clock
from potstill.distil.train.diagnosis import StudentFigures, diagnose_losses, diagnose_student
from potstill.distil.train.encoded import EncodedSplits
from potstill.distil.train.fit import TRAIN_SAMPLE, Run, facts_of, fit, load_student, write_model
from potstill.distil.train.loss_settings import LossSettings
from potstill.distil.train.trainer import DistillationTrainer
from potstill.distil.vocabulary.choice import vocabulary_facts
from potstill.models.classifier import EncoderClassifier, load_classifier
from potstill.models.evaluation import Outputs, outputs
from potstill.models.heads import Truth
from potstill.models.heads.embedding import PROJECTION, project
from potstill.models.hub import keep_random_state, quiet_loading
from potstill.work.atomic import atomic_folder
from potstill.work.processes import current
from potstill.work.progress import Progress

if TYPE_CHECKING:
    from potstill.data.splits import Splits
    from potstill.recipe.schema import Recipe

# Rows given to the initialisation; it takes what it needs of them.
_SAMPLE_ROWS = 1024
# Rows of teacher vectors that decide the projection where the initialisation chose none.
_PROJECTION_ROWS = 2048


@keep_random_state()
def distil(
    recipe: Recipe, splits: Splits, teacher_dir: Path, out: Path, *, cache: Path, work: Path, progress: Progress
) -> dict[str, Any]:
    """Distil the teacher into the recipe's student and write it, with the tokenizer, to ``out``.

    Unlabelled texts join the training rows with the teacher's outputs alone. Training resumes from the last checkpoint
    in ``work``; the student of the best epoch on the validation set is kept.

    Args:
        recipe: what is asked for.
        splits: the data.
        teacher_dir: the teacher's folder.
        out: folder to write.
        cache: teacher outputs are kept under ``teacher-outputs/``.
        work: checkpoints; survives kills.
        progress: reports steps and epochs.

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
    clock, run = Clock(), Run(recipe, list(splits.labels), cache, work, progress)
    teacher = Teacher.load(teacher_dir)
    lesson = read_lesson(run, splits, teacher)
    clock.lap("load")
    student, axes = start_student(run, teacher, lesson)
    clock.lap("initialise")
    taught = teach(run, teacher, student, lesson.rows.train, lesson.shown)
    axes = vector_axes(run, teacher, student, lesson.rows, taught, axes)
    clock.lap("teacher_outputs")
    history = train_student(run, teacher, student, lesson.rows, axes)
    clock.lap("train")
    if not current().main:
        return {}
    write_model(out, student, lesson.vocabulary.tokenizer)
    if lesson.rows.projection is not None:
        np.save(out / PROJECTION, lesson.rows.projection)
    found = measure_student(run, out, teacher, lesson)
    found |= diagnose(run, student, lesson, taught, found, history)
    clock.lap("evaluate")
    facts = facts_of(history, student)
    return {
        **facts,
        "parameters_without_embeddings": facts["parameters"] - facts_of([], student.backbone.embeddings)["parameters"],
        "vocabulary": vocabulary_facts(lesson.vocabulary, lesson.read.test.rows.ids, lesson.rows.test.rows.ids),
        "seconds": clock.laps,
        "processes": current().count,
        **found,
    }


def start_student(run: Run, teacher: Teacher, lesson: Lesson) -> tuple[EncoderClassifier, np.ndarray | None]:
    """The initialised student and its axes; kept in the work folder, since a resumed run needs the same ones.

    What a run of other settings left in the work folder is removed.
    """
    recipe, vocabulary, folder = run.recipe, lesson.vocabulary, run.work / "start"
    note = {
        "student": recipe.student.model_dump(),
        "distil": recipe.distil.model_dump(),
        "seed": recipe.seed,
        "max_tokens": recipe.data.max_tokens,
        "data": lesson.fingerprint,
        "teacher": teacher.weights,
        "task": recipe.task,
    }

    def make() -> None:
        prepare_work(run.work, note)
        if folder.is_dir():
            return
        if vocabulary.added is not None:
            run.progress.message(f"  student: a tokenizer of {vocabulary.size:,} tokens, which is not the teacher's")
        elif vocabulary.kept is not None:
            sizes = f"{vocabulary.size:,} of the teacher's {vocabulary.teacher_size:,} tokens"
            run.progress.message(f"  student: {sizes} kept")
        run.progress.message(f"  student: {recipe.student.init} initialisation from the teacher")
        # An even sample: rows of unlabelled text, at the end, count too.
        rows = lesson.rows.train.rows
        sample = rows[:: max(1, len(rows) // _SAMPLE_ROWS)][:_SAMPLE_ROWS]
        longest = max(recipe.data.max_tokens, recipe.compile.max_tokens or 0)
        model = widened(teacher.model, vocabulary.added) if vocabulary.added else teacher.model
        job = Job(recipe.student, model, run.labels, sample, kept=vocabulary.kept, longest=longest, seed=recipe.seed)
        make_student(job)
        if rows.types is not None:
            job.student.config.text_pair = True
        if lesson.units:
            job.student.config.units = lesson.units
        with atomic_folder(folder) as temporary, quiet_loading():
            job.student.save_pretrained(str(temporary))
            if job.projection is not None:
                np.save(temporary / "projection.npy", job.projection)

    current().broadcast(make)
    axes = folder / "projection.npy"
    return load_student(folder), np.load(axes) if axes.is_file() else None


def vector_axes(
    run: Run,
    teacher: Teacher,
    student: EncoderClassifier,
    rows: EncodedSplits,
    taught: TeacherOutputs,
    axes: np.ndarray | None,
) -> np.ndarray | None:
    """``[teacher's width, student hidden]`` f32, by which pooled vectors are compared; None: the trainer finds them.

    Those of the initialisation, unless it chose none for a student of vectors, or chose those of the teacher's states
    where its vectors are made otherwise: then the principal axes of the vectors, turned to where the student's are at
    the start, so that it need not learn a rotation.
    """
    if axes is not None and not getattr(teacher.model.config, "pools_states", True):

        def turn() -> np.ndarray:
            own = outputs(student, rows.train.rows[:_PROJECTION_ROWS]).pooled
            theirs = taught.pooled.array()[: len(own)]
            return turned(principal_basis(theirs, own.shape[1]), theirs, own)

        axes = current().broadcast(turn)
    elif axes is None and not run.task.labelled and taught.pooled.shape[1] != student.config.hidden_size:
        sample = taught.pooled.array()[:_PROJECTION_ROWS]
        axes = current().broadcast(lambda: principal_basis(sample, student.config.hidden_size))
    rows.projection = None if run.task.labelled else axes
    return axes


def train_student(
    run: Run,
    teacher: Teacher,
    student: EncoderClassifier,
    rows: EncodedSplits,
    axes: np.ndarray | None = None,
    *,
    what: str = "student",
    start: bool = False,
) -> list[dict[str, Any]]:
    """Train with the settings in ``recipe.distil`` and leave the best weights in the student.

    Args:
        run, what, start: as `fit`.
        teacher: run in the training step where tokens are compared.
        student: as initialised, in training mode.
        rows: the training rows with the teacher's outputs, and validation rows.
        axes: ``[teacher hidden, student hidden]`` f32 for the pooled vectors, or None.

    Returns:
        The evaluations of `KeepBest`, one for each epoch.
    """
    settings = run.recipe.distil
    schedule = Schedule(
        settings.epochs, settings.learning_rate, settings.batch_size, settings.precision, settings.warmup,
        settings.save_steps,
    )  # fmt: skip
    weights = chosen(settings, rows.train.labels, len(run.labels))
    trainer = partial(
        DistillationTrainer,
        student_model=student,
        # Without losses of tokens the columns hold all that the teacher has to say.
        teacher_model=teacher.model if compares_tokens(settings) else None,
        losses=LossSettings.of(settings, run.task.loss_weights(settings), weights),
        pooled_projection=axes,
    )
    return fit(run, student, rows, schedule, trainer, what=what, start=start)


def measure_student(run: Run, folder: Path, teacher: Teacher, lesson: Lesson) -> dict[str, Any]:
    """Figures in f32 of the student as saved, beside the teacher's."""
    task, rows, student = run.task, lesson.rows, load_classifier(folder)
    ours = outputs(student, rows.test.rows, progress=run.progress, what="student on the test set")
    theirs = rows.teacher.get("test") or outputs(
        teacher.model, lesson.read.test.rows, progress=run.progress, what="teacher on the test set"
    )
    on_validation = outputs(student, rows.validation.rows)
    truth = rows.truth("test")
    projected = Outputs(theirs.logits, project(theirs.pooled, rows.projection))
    figures, taught = task.metrics(ours, truth), task.score(projected, truth)
    found = {
        "metric": task.metric,
        "validation_accuracy": task.score(on_validation, rows.truth("validation")),
        "test_accuracy": figures[task.metric],
        "teacher_test_accuracy": taught,
        "retained": figures[task.metric] / taught if taught else None,
        "agreement": task.agreement(ours, projected),
        "metrics": figures,
    }
    if task.labelled:
        right = task.right(theirs, truth)
        student_right, teacher_right = (Outputs(each.logits[right], each.pooled[right]) for each in (ours, theirs))
        found["agreement_where_right"] = task.agreement(student_right, teacher_right)
    return found


def diagnose(
    run: Run,
    student: EncoderClassifier,
    lesson: Lesson,
    taught: TeacherOutputs,
    found: dict[str, Any],
    history: list[dict[str, Any]],
) -> dict[str, Any]:
    """``warnings``, and with labels ``train_accuracy``, that of the first labelled rows."""
    task, settings, rows = run.task, run.recipe.distil, lesson.rows.train
    losses = [entry["loss"] for entry in history if entry["loss"] is not None]
    if not task.labelled:
        return {"warnings": diagnose_losses(losses, settings.learning_rate, "distil.learning_rate")}
    count = min(lesson.rows.labelled, TRAIN_SAMPLE)
    on_train = taught_train = None
    if count:
        truth = Truth(rows.labels[:count])
        on_train = task.score(outputs(student.eval(), rows.rows[:count]), truth)
        logits = task.joined([taught.logits[row] for row in range(count)])
        taught_train = task.score(Outputs(logits, logits[:, :0]), truth)
    figures = StudentFigures(
        train=on_train,
        validation=found["validation_accuracy"],
        test=found["test_accuracy"],
        teacher_train=taught_train,
        teacher_test=found["teacher_test_accuracy"],
        agreement=found["agreement"],
        agreement_where_right=found["agreement_where_right"],
        losses=losses,
        test_rows=len(lesson.rows.test),
    )
    return {"train_accuracy": on_train, "warnings": diagnose_student(figures, settings)}
