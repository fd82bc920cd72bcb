"""The teacher: taken as it is when it already knows the labels, else fine-tuned."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoModelForTokenClassification

from potstill.distil.teacher.batching import check_batching
from potstill.distil.teacher.label_order import Head, believed, head_order, no_head
from potstill.distil.teacher.reading import reading_units
from potstill.distil.teacher.sentence import Vectors, lowercased, sentence_model, teacher_vectors
from potstill.distil.teacher.text_check import examine_texts
from potstill.distil.train.arguments import GroupedTrainer, Schedule
from potstill.distil.train.checkpoints import prepare_work
from potstill.distil.train.class_weights import WeightedTrainer, chosen
from potstill.distil.train.clock import Clock
from potstill.distil.train.diagnosis import diagnose_teacher
from potstill.distil.train.encoded import EncodedSplits, encode_splits
from potstill.distil.train.fit import TRAIN_SAMPLE, Run, facts_of, fit, write_model
from potstill.distil.train.token_table import only_seen
from potstill.models.classifier import has_head, label_tables, load_classifier, load_encoder, load_pretrained
from potstill.models.evaluation import outputs
from potstill.models.families import reads_forward
from potstill.models.heads import Truth
from potstill.models.hub import keep_random_state, model_errors, quiet_loading
from potstill.models.precision import training_attention
from potstill.models.rows import encode_dataset
from potstill.models.split_classifier import head_name
from potstill.models.tokens import load_tokenizer
from potstill.work.processes import current
from potstill.work.progress import Progress

if TYPE_CHECKING:
    from potstill.data.splits import Splits
    from potstill.recipe.schema import Recipe

# Steps between two checkpoints inside an epoch: about half a minute of the demo teacher on 2 cores.
SAVE_STEPS = 100


def source_of(model: str, cache: Path, progress: Progress) -> Path | str:
    """Where ``teacher.model`` is: the fetched demo teacher, a folder, or a hub id as given."""
    if model.startswith("demo:"):
        from potstill.data.demo import teacher_dir

        return teacher_dir(cache, model, progress=progress)
    folder = Path(model).expanduser()
    return folder if folder.is_dir() else model


@keep_random_state()
def finetune(
    recipe: Recipe, splits: Splits, out: Path, *, cache: Path, work: Path, progress: Progress
) -> dict[str, Any]:
    """Make the teacher and write it, with its tokenizer, to ``out``.

    Training resumes from the last checkpoint in ``work``. The model of the best epoch on the validation set is kept.

    Args:
        recipe: what is asked for.
        splits: the data; unlabelled texts are left out.
        out: folder to write.
        cache: where demo packages are kept.
        work: checkpoints; may be kept across kills, removed when done.
        progress: reports steps and epochs.

    Returns:
        ``fine_tuned``, ``metric`` (what the task calls accuracy), ``validation_accuracy``, ``test_accuracy``,
        ``train_accuracy`` (first 1,000 rows), ``metrics`` (all figures on the test set), ``epochs`` (a record for
        each), ``best_epoch``, ``parameters``, ``seconds``, ``warnings`` (list of sentences), ``test_guess`` (the metric
        of the best constant answer on the test set); nothing in a process that is not the main one.

    Raises:
        TrainError: the model or tokenizer cannot be loaded; it has no fitting head, or one that answers
            no better than a guess, and finetune is never; unknown demo teacher.
    """
    clock, run = Clock(), Run(recipe, list(splits.labels), cache, work, progress)
    source = read_source(run)
    if not has_head(source.config):
        source = replace(source, tokenizer=reading_units(source.tokenizer, splits.units))
    notes = examine_texts(source.tokenizer, splits, recipe.data.max_tokens) if current().main else []
    for text in notes:
        progress.message(f"warning: {text}")
    if not run.task.labelled:
        made = adopt(run, source, splits, out, notes) if current().main else {}
    else:
        rows = encode_splits(source.tokenizer, _labelled(splits), recipe.data.max_tokens, run.task)
        order, doubts = believed_order(run, source, rows)
        train = order is None or recipe.teacher.finetune == "always"
        model = start_model(run, source, order)
        current().broadcast(lambda: check_batching(model, rows.train.rows, str(source.vectors.source)))
        history = train_teacher(run, source, model, rows, splits.fingerprint) if train else []
        if not current().main:
            return {}
        write_model(out, model, source.tokenizer)
        found = measure_teacher(run, out, rows)
        notes = [*(source.vectors.notes if order is None and not run.task.words else []), *notes, *doubts]
        notes += diagnose(run, found, rows, history)
        made = {"fine_tuned": train, **facts_of(history, model), **found, "warnings": notes}
    clock.lap("total")
    return {**made, "seconds": clock.laps["total"]} if made else {}


@dataclass(frozen=True)
class Source:
    """Where a teacher comes from, and how it makes its vectors; its tokenizer and configuration."""

    vectors: Vectors
    tokenizer: Any
    config: Any


def read_source(run: Run) -> Source:
    """Find the recipe's teacher and read what its folder says.

    Raises:
        TrainError: it cannot be loaded; its vectors are made in a way that a student cannot learn.
    """
    recipe, settings, everyone = run.recipe, run.recipe.teacher, current()
    given = everyone.broadcast(lambda: source_of(settings.model, run.cache, run.progress))
    said = everyone.broadcast(lambda: sentence_model(given, needed=not run.task.labelled))
    vectors = teacher_vectors(
        given, said, settings.pooling, labelled=run.task.labelled, max_tokens=recipe.data.max_tokens
    )
    tokenizer = load_tokenizer(vectors.source)
    if said is not None and said.lowercase:
        lowercased(tokenizer, vectors.source)
    with model_errors(vectors.source), quiet_loading():
        config = AutoConfig.from_pretrained(str(vectors.source))
    return Source(vectors, tokenizer, config)


def _labelled(splits: Splits) -> Splits:
    """The splits without their unlabelled texts."""
    found = copy.copy(splits)
    found.unlabelled = None
    return found


def adopt(run: Run, source: Source, splits: Splits, out: Path, notes: list[str]) -> dict[str, Any]:
    """A teacher that gives vectors: the encoder, its pooling and what follows. By definition it agrees with itself."""
    vectors = source.vectors
    model = load_encoder(vectors.source, labels=[], pooling=vectors.pooling, sentence=vectors.sentence)
    rows = encode_dataset(source.tokenizer, splits.validation, run.recipe.data.max_tokens)
    check_batching(model, rows, str(vectors.source))
    write_model(out, model, source.tokenizer)
    return {
        "fine_tuned": False,
        "metric": run.task.metric,
        "validation_accuracy": 1.0,
        "test_accuracy": 1.0,
        **facts_of([], model),
        "pooling": model.config.pooling,
        "normalized": model.config.normalized,
        "warnings": [*vectors.notes, *notes],
    }


def believed_order(run: Run, source: Source, rows: EncodedSplits) -> tuple[list[int] | None, list[str]]:
    """The order in which the teacher's own head gives our labels, and doubts; None: it gets a new head.

    Raises:
        TrainError: there is no such head, and ``teacher.finetune`` is ``never``.
    """
    order = head_order(source.config, run.labels, run.task)
    if run.recipe.teacher.finetune == "never" and order is None:
        raise no_head(run.recipe, run.labels)
    if order is None or run.recipe.teacher.finetune == "always":
        return order, []
    head = Head(source.vectors.source, source.config, order, run.labels)
    return current().broadcast(lambda: believed(head, rows.train, run.recipe, run.task, run.progress))


def start_model(run: Run, source: Source, order: list[int] | None) -> Any:
    """The model before training: with its own head in the order of our labels, or an encoder under a new one."""
    task, labels, vectors = run.task, run.labels, source.vectors
    if order is None:
        return load_encoder(
            vectors.source,
            labels=labels,
            pooling="none" if task.words else vectors.pooling,
            attention=training_attention(),
            seed=run.recipe.seed,
            problem=task.problem,
        )
    kind = AutoModelForTokenClassification if task.words else AutoModelForSequenceClassification
    with model_errors(vectors.source), quiet_loading():
        model = load_pretrained(kind, vectors.source, training_attention())
    head = model.get_submodule(head_name(model))
    with torch.no_grad():
        head.weight.copy_(head.weight[order].clone())
        if head.bias is not None:
            head.bias.copy_(head.bias[order].clone())
    model.config.update(label_tables(labels))
    if reads_forward(model.config):
        # By it transformers finds the last token of a padded row.
        model.config.pad_token_id = source.tokenizer.pad_token_id
    return model


def train_teacher(run: Run, source: Source, model: Any, rows: EncodedSplits, fingerprint: str) -> list[dict[str, Any]]:
    """Fine-tune the model in place; gives the evaluations of `KeepBest`. What other settings left is removed."""
    recipe, settings = run.recipe, run.recipe.teacher
    note = {"recipe": settings.model_dump(), "seed": recipe.seed, "data": fingerprint}
    note |= {"source": str(source.vectors.source), "max_tokens": recipe.data.max_tokens}
    note |= {"class_weights": recipe.distil.class_weights}
    current().broadcast(lambda: prepare_work(run.work, note))
    schedule = Schedule(
        settings.epochs, settings.learning_rate, settings.batch_size, settings.precision, warmup=0.1,
        save_steps=SAVE_STEPS, patience=settings.early_stopping_patience or None, section="teacher",
    )  # fmt: skip
    weights = chosen(recipe.distil, rows.train.labels, model.config.num_labels)
    trainer = GroupedTrainer if weights is None else partial(WeightedTrainer, class_weights=weights)
    pad = [[rows.train.rows.pad_id]]
    with only_seen(model, rows.train.rows.ids, rows.validation.rows.ids, pad):
        return fit(run, model, rows, schedule, partial(trainer, model=model), what="teacher")


def measure_teacher(run: Run, folder: Path, rows: EncodedSplits) -> dict[str, Any]:
    """Figures in f32 of the model as saved, on each split."""
    model = load_classifier(folder)
    found: dict[str, Any] = {"metric": run.task.metric}
    for name, dataset in (("train", rows.train), ("validation", rows.validation), ("test", rows.test)):
        count = min(len(dataset), TRAIN_SAMPLE) if name == "train" else len(dataset)
        result = outputs(model, dataset.rows[:count], progress=run.progress, what=f"teacher on {name}")
        figures = run.task.metrics(result, Truth(dataset.labels[:count]))
        found[f"{name}_accuracy"] = figures[run.task.metric]
        if name == "test":
            found["metrics"] = figures
    return {**found, "test_guess": run.task.guess(Truth(rows.test.labels))}


def diagnose(run: Run, found: dict[str, Any], rows: EncodedSplits, history: list[dict[str, Any]]) -> list[str]:
    """Sentences on the training and its result."""
    # Entities have no commonest one to guess.
    guessed = np.zeros((0, 0)) if run.task.words else rows.validation.labels
    return diagnose_teacher({**found, "epochs": history}, guessed, run.recipe.teacher)
