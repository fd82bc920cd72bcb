"""The teacher: taken as it is when it already knows the labels, else fine-tuned."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoModelForTokenClassification

from potstill.distil.losses.class_weights import WeightedTrainer, chosen
from potstill.distil.teacher.label_order import Head, believed, head_order, no_head
from potstill.distil.teacher.sentence import Vectors, lowercased, sentence_model, teacher_vectors
from potstill.distil.teacher.text_check import examine_texts
from potstill.distil.train.arguments import GroupedTrainer, pipeline_arguments
from potstill.distil.train.averaging import WeightAverage
from potstill.distil.train.checkpoints import KeepBest, latest_checkpoint, prepare_work
from potstill.distil.train.diagnosis import diagnose_teacher
from potstill.distil.train.forward import ForwardProgress
from potstill.distil.train.rows import encode_split
from potstill.models.classifier import head_name, load_classifier, load_encoder, load_pretrained
from potstill.models.evaluation import outputs
from potstill.models.heads import Task, Truth, task_of
from potstill.models.hub import keep_random_state, model_errors, quiet_loading
from potstill.models.precision import training_attention
from potstill.models.tokens import Collator, TokenDataset, load_tokenizer
from potstill.work.processes import current
from potstill.work.progress import Progress

# Steps between two checkpoints inside an epoch: about half a minute of the demo teacher on 2 cores.
SAVE_STEPS = 100
_TRAIN_SAMPLE = 1000


def source_of(model: str, cache: Path, progress: Progress) -> Path | str:
    """Where ``teacher.model`` is: the fetched demo teacher, a folder, or a hub id as given."""
    if model.startswith("demo:"):
        from potstill.data.demo import teacher_dir

        return teacher_dir(cache, model, progress=progress)
    folder = Path(model).expanduser()
    return folder if folder.is_dir() else model


@keep_random_state()
def finetune(recipe: Any, splits: Any, out: Path, *, cache: Path, work: Path, progress: Progress) -> dict[str, Any]:
    """Make the teacher and write it, with its tokenizer, to ``out``.

    Training resumes from the last checkpoint in ``work``. The model of the best epoch on the validation set is kept.

    Args:
        recipe: needs ``task``, ``teacher``, ``distil.class_weights``, ``data.max_tokens`` and ``seed``.
        splits: needs ``train``, ``validation``, ``test`` (columns text, label), ``labels`` and ``fingerprint``.
        out: folder to write.
        cache: where demo packages are kept.
        work: checkpoints; may be kept across kills, removed when done.
        progress: told about steps and epochs.

    Returns:
        ``fine_tuned``, ``metric`` (what the task calls accuracy), ``validation_accuracy``, ``test_accuracy``,
        ``train_accuracy`` (first 1,000 rows), ``metrics`` (all figures on the test set), ``epochs`` (a record for
        each), ``best_epoch``, ``parameters``, ``seconds``, ``warnings`` (list of sentences), ``test_guess`` (the metric
        of the best constant answer on the test set); nothing in a process that is not the main one.

    Raises:
        TrainError: the model or tokenizer cannot be loaded; it has no fitting head, or one that answers
            no better than a guess, and finetune is never; unknown demo teacher.
    """
    start = time.monotonic()
    settings, labels = recipe.teacher, list(splits.labels)
    task = task_of(recipe).with_labels(labels)
    everyone = current()
    source = everyone.broadcast(lambda: source_of(settings.model, cache, progress))
    said = everyone.broadcast(lambda: sentence_model(source, needed=not task.labelled))
    vectors = teacher_vectors(source, said, settings.pooling, labelled=task.labelled, max_tokens=recipe.data.max_tokens)
    source = vectors.source
    tokenizer = load_tokenizer(source)
    if said is not None and said.lowercase:
        lowercased(tokenizer, source)
    with model_errors(source), quiet_loading():
        config = AutoConfig.from_pretrained(str(source))
    found = examine_texts(tokenizer, splits, recipe.data.max_tokens) if everyone.main else []
    for text in found:
        progress.message(f"warning: {text}")
    if not task.labelled:
        if not everyone.main:
            return {}
        made = _as_it_is(vectors, tokenizer, task, out)
        return {**made, "seconds": round(time.monotonic() - start, 1), "warnings": [*vectors.notes, *found]}
    order = head_order(config, labels, task)
    if settings.finetune == "never" and order is None:
        raise no_head(recipe, labels)
    rows = {name: encode_split(tokenizer, splits, name, recipe.data.max_tokens, task) for name in _SPLITS}
    doubts: list[str] = []
    if order is not None and settings.finetune != "always":
        head = Head(source, config, order, labels, tokenizer.pad_token_id)
        order, doubts = everyone.broadcast(lambda: believed(head, rows["train"], recipe, task, progress))
    model = _start_model(vectors, labels, order, recipe.seed, task)
    history: list[dict[str, Any]] = []
    train = order is None or settings.finetune == "always"
    if train:
        note = {"recipe": settings.model_dump(), "seed": recipe.seed, "data": splits.fingerprint, "source": str(source)}
        note |= {"max_tokens": recipe.data.max_tokens, "class_weights": recipe.distil.class_weights}
        everyone.broadcast(lambda: prepare_work(work, note))
        history = _train(model, rows, tokenizer, recipe, work, progress, task)
    if not everyone.main:
        return {}
    out.mkdir(parents=True, exist_ok=True)
    with quiet_loading():
        model.save_pretrained(str(out))
        tokenizer.save_pretrained(str(out))
    metrics = _measure(out, rows, tokenizer, progress, task)
    notes = vectors.notes if order is None and not task.words else []
    truth = rows["validation"].labels
    # Entities have no commonest one to guess.
    guessed = np.zeros((0, 0)) if task.words else truth
    metrics["warnings"] = [
        *notes,
        *found,
        *doubts,
        *diagnose_teacher({**metrics, "epochs": history}, guessed, settings),
    ]
    metrics["test_guess"] = task.guess(Truth(rows["test"].labels))
    best = max(history, key=lambda entry: entry["accuracy"], default=None)
    return {
        "fine_tuned": train,
        "epochs": history,
        "best_epoch": int(best["epoch"]) if best else 0,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "seconds": round(time.monotonic() - start, 1),
        **metrics,
    }


_SPLITS = ("train", "validation", "test")


def _as_it_is(vectors: Vectors, tokenizer: Any, task: Task, out: Path) -> dict[str, Any]:
    """A teacher that gives vectors: the encoder, its pooling and what follows. By definition it agrees with itself."""
    model = load_encoder(vectors.source, labels=[], pooling=vectors.pooling, sentence=vectors.sentence)
    out.mkdir(parents=True, exist_ok=True)
    with quiet_loading():
        model.save_pretrained(str(out))
        tokenizer.save_pretrained(str(out))
    return {
        "fine_tuned": False,
        "metric": task.metric,
        "validation_accuracy": 1.0,
        "test_accuracy": 1.0,
        "epochs": [],
        "best_epoch": 0,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "pooling": vectors.pooling,
        "normalized": model.config.normalized,
    }


def _start_model(vectors: Vectors, labels: list[str], order: list[int] | None, seed: int, task: Task) -> Any:
    """The model before training: with its own head in the order of our labels, or an encoder under a new one."""
    if order is None:
        attention = training_attention()
        return load_encoder(
            vectors.source,
            labels=labels,
            pooling="none" if task.words else vectors.pooling,
            attention=attention,
            seed=seed,
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
    model.config.id2label = dict(enumerate(labels))
    model.config.label2id = {label: index for index, label in enumerate(labels)}
    return model


def _train(
    model: Any, rows: dict[str, TokenDataset], tokenizer: Any, recipe: Any, work: Path, progress: Progress, task: Task
) -> list[dict[str, Any]]:
    settings = recipe.teacher
    pad_id, validation = tokenizer.pad_token_id, rows["validation"]

    def measure(candidate: nn.Module) -> float:
        found = outputs(
            candidate,
            validation.ids,
            pad_id=pad_id,
            precision=settings.precision,
            types=validation.types,
            words=validation.words,
        )
        return task.score(found, Truth(validation.labels))

    def announce(epoch: int, value: float, best: bool) -> None:
        shown = f"validation {task.metric} {100 * value:.1f} %"
        progress.message(f"  teacher, epoch {epoch}: {shown}{', best' if best else ''}")

    keep = KeepBest(
        measure,
        work,
        patience=settings.early_stopping_patience or None,
        save_steps=SAVE_STEPS,
        announce=announce,
        average=WeightAverage(),
    )
    arguments = pipeline_arguments(
        work,
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        batch_size=settings.batch_size,
        warmup=0.1,
        seed=recipe.seed,
        precision=settings.precision,
        key="teacher.batch_size",
    )
    checkpoint = current().broadcast(lambda: latest_checkpoint(work))
    keep.resume(checkpoint)
    with quiet_loading(), progress.task("teacher", unit="steps") as shown:
        weights = chosen(recipe.distil, rows["train"].labels, model.config.num_labels)
        trainer = (GroupedTrainer if weights is None else partial(WeightedTrainer, class_weights=weights))(
            model=model,
            args=arguments,
            train_dataset=rows["train"],
            data_collator=Collator(pad_id, per_token=task.words),
            callbacks=[ForwardProgress(shown), keep],
        )
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    keep.restore_best(model)
    return keep.history


def _measure(
    out: Path, rows: dict[str, TokenDataset], tokenizer: Any, progress: Progress, task: Task
) -> dict[str, Any]:
    """Figures in f32 of the model as saved, on each split."""
    model = load_classifier(out)
    found: dict[str, Any] = {"metric": task.metric}
    for name, dataset in rows.items():
        count = min(len(dataset), _TRAIN_SAMPLE) if name == "train" else len(dataset)
        result = outputs(
            model,
            dataset.ids[:count],
            pad_id=tokenizer.pad_token_id,
            progress=progress,
            what=f"teacher on {name}",
            types=None if dataset.types is None else dataset.types[:count],
            words=None if dataset.words is None else dataset.words[:count],
        )
        figures = task.metrics(result, Truth(dataset.labels[:count]))
        found[f"{name}_accuracy"] = figures[task.metric]
        if name == "test":
            found["metrics"] = figures
    return found
