"""What the teacher cache saves, on a build's teacher and data: ``python -m potstill.bench.teacher_cache RECIPE_OUT``.

Trains the build's student, with the teacher's vocabulary, twice from the same start: once from the cache, filled at
the beginning and counted in the time, and once running the teacher in every step. Prints both loss curves, which must
agree, and the ratio of the times.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from potstill.errors import InputError, PotstillError


@dataclass(frozen=True)
class Run:
    """Seconds of a run, those of the teacher's passes before training among them, and the mean loss of each epoch."""

    seconds: float
    filling: float
    losses: list[float]


def compare(out: Path, *, epochs: int = 4, rows: int | None = None) -> tuple[Run, Run]:
    """Train from the cache and with the teacher in every step.

    Args:
        out: output folder of a completed `potstill build`.
        epochs: passes over the rows.
        rows: train on the first so many; None for all, unlabelled ones included.

    Returns:
        The run from the cache, and the one that recomputes.

    Raises:
        InputError: I080 no build lies there.
    """
    from potstill.data.splits import Splits
    from potstill.distil.modeling import load_classifier
    from potstill.distil.students.registry import make_student
    from potstill.distil.tokens import load_tokenizer
    from potstill.recipe.schema import Recipe

    try:
        report = json.loads((out / "report.json").read_text(encoding="utf-8"))
        recipe = Recipe.model_validate(report["settings"])
        folders = {name: out / "stages" / name / report["keys"][name] for name in ("data", "teacher")}
    except (OSError, ValueError, KeyError) as error:
        raise InputError("I080", "no completed build lies there", str(out), "run potstill build first") from error
    splits, teacher = Splits.load(folders["data"]), load_classifier(folders["teacher"])
    tokenizer = load_tokenizer(folders["teacher"])
    ids, labels = _rows(tokenizer, splits, recipe.data.max_tokens, rows)
    job = make_student(
        recipe.student, teacher, splits.labels, ids[:512], pad_id=tokenizer.pad_token_id, seed=recipe.seed
    )
    found = []
    for cached in (True, False):
        student = copy.deepcopy(job.student)
        given = (job.projection, folders["teacher"], ids, labels, recipe, epochs, tokenizer.pad_token_id)
        found.append(_train(student, teacher, *given, cached))
    return found[0], found[1]


def _rows(tokenizer: Any, splits: Any, max_tokens: int, limit: int | None) -> tuple[list[Any], list[int]]:
    from potstill.distil.tokens import NO_LABEL, encode

    texts, labels = list(splits.train["text"]), list(splits.train["label"])
    if splits.unlabelled is not None:
        texts += list(splits.unlabelled["text"])
    labels += [NO_LABEL] * (len(texts) - len(labels))
    return encode(tokenizer, texts[:limit], max_tokens), labels[:limit]


def _train(
    student: Any,
    teacher: Any,
    projection: Any,
    teacher_dir: Path,
    ids: Sequence[Any],
    labels: Sequence[int],
    recipe: Any,
    epochs: int,
    pad_id: int,
    cached: bool,
) -> Run:
    from potstill.distil.arguments import pipeline_arguments
    from potstill.distil.hub import quiet_loading
    from potstill.distil.teacher_cache import weights_hash
    from potstill.distil.teaching import teach, token_settings
    from potstill.distil.tokens import Collator, TokenDataset
    from potstill.distil.trainer import DistillationTrainer
    from potstill.pipeline.progress import QuietProgress

    settings = recipe.distil
    dataset = TokenDataset(ids, labels)
    with tempfile.TemporaryDirectory() as folder, quiet_loading():
        start = time.monotonic()
        if cached:
            weights, progress = weights_hash(teacher_dir), QuietProgress()
            teach(
                dataset,
                student,
                teacher,
                weights,
                recipe,
                ids=ids,
                pad_id=pad_id,
                cache=Path(folder),
                progress=progress,
            )
        filling = time.monotonic() - start
        arguments = pipeline_arguments(
            Path(folder) / "work",
            epochs=epochs,
            learning_rate=settings.learning_rate,
            batch_size=settings.batch_size,
            warmup=settings.warmup,
            seed=recipe.seed,
            precision=settings.precision,
        )
        arguments.logging_strategy = type(arguments.logging_strategy)("epoch")
        trainer = DistillationTrainer(
            student,
            teacher,
            settings.temperature,
            settings.alpha,
            pooled_cosine=settings.pooled_cosine,
            pooled_projection=projection,
            **token_settings(settings),
            args=arguments,
            train_dataset=dataset,
            data_collator=Collator(pad_id),
        )
        trainer.train()
        seconds = time.monotonic() - start
    return Run(seconds, filling, [entry["loss"] for entry in trainer.state.log_history if "loss" in entry])


def table(cached: Run, live: Run) -> str:
    """Both loss curves, both times and their ratio."""
    lines = ["epoch  loss, cached  loss, recomputed"]
    lines += [
        f"{n:5}  {a:12.4f}  {b:16.4f}" for n, (a, b) in enumerate(zip(cached.losses, live.losses, strict=True), 1)
    ]
    lines.append(f"from the cache {cached.seconds:.1f} s ({cached.filling:.1f} s of them to fill it)")
    lines.append(f"teacher in every step {live.seconds:.1f} s: {live.seconds / cached.seconds:.2f} times as long")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(prog="python -m potstill.bench.teacher_cache", description=__doc__)
    parser.add_argument("out", type=Path, metavar="RECIPE_OUT", help="output folder of a completed build")
    parser.add_argument("--epochs", type=int, default=4, help="passes over the rows (default 4)")
    parser.add_argument("--rows", type=int, help="train on the first so many rows (default: all)")
    args = parser.parse_args(argv)
    try:
        print(table(*compare(args.out, epochs=args.epochs, rows=args.rows)))
    except PotstillError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
