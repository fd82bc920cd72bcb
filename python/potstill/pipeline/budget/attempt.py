"""Building one choice as far as it takes to judge it: the student, its `.still` file, and that file's accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from potstill.data.splits import Splits
from potstill.errors import TrainError
from potstill.models.recipes import parse_recipe
from potstill.pipeline.budget.ladder import VOCABULARY_CHARACTERS, Choice, Teacher, predicted_ms
from potstill.pipeline.engine import run_stages
from potstill.pipeline.stage import Context, Stage, data_identity
from potstill.pipeline.stages import build_stages
from potstill.recipe.schema import BudgetTime, Recipe
from potstill.work.store import Store

# Stages that an attempt needs none of: exchange formats, parity and timing are for the student that is taken.
_NOT_TRIED = ("tflite", "verify", "bench")


@dataclass(frozen=True)
class Attempt:
    """A choice that was built.

    Attributes:
        name: of the choice.
        bytes, ms: of the file itself; ms is predicted for the board, None without one.
        validation_accuracy, test_accuracy: the task's metric of the packed student (0-1). The test set is shown, never
            judged by.
        drop: points under the teacher on the validation set.
        key: of the `.still` file's stage; equal keys are equal files.
    """

    name: str
    bytes: int
    ms: float | None
    validation_accuracy: float
    test_accuracy: float
    drop: float
    key: str


def with_choice(recipe: Recipe, choice: Choice) -> Recipe:
    """The recipe with the keys of a choice, and without its budget: it builds just that student."""
    content = recipe.content()
    for section, keys in choice.settings().items():
        content[section] = content[section] | keys
    del content["budget"]
    chosen = parse_recipe(content, f"recipe {recipe.name} with {choice.name}")
    chosen.set_base(recipe.base)
    return chosen


def attempt(recipe: Recipe, choice: Choice, time: BudgetTime | None, context: Context, store: Store) -> Attempt:
    """Train, compile and measure a choice; what was done earlier is kept, what a kill left is resumed."""
    chosen = with_choice(recipe, choice)
    inner = Context(chosen, context.cache, context.progress)
    stages = [stage for stage in build_stages(chosen) if stage.name not in _NOT_TRIED]
    run_stages([*stages, _SCORE], inner, store, prefix=f"{choice.name}, ")
    still, facts = inner.folder("still") / "model.still", inner.facts("score")
    return Attempt(
        choice.name,
        still.stat().st_size,
        None if time is None else predicted_ms(still, time),
        facts["validation_accuracy"],
        facts["test_accuracy"],
        100 * (inner.facts("teacher")["validation_accuracy"] - facts["validation_accuracy"]),
        inner.keys["still"],
    )


def run_score(context: Context, out: Path, work: Path) -> Mapping[str, Any]:
    """The task's metric of `model.still` in the core, on the validation and the test set."""
    import numpy as np

    import potstill
    from potstill.models.evaluation import Outputs
    from potstill.models.heads import Truth, task_of

    del out, work
    task, model = task_of(context.recipe), potstill.load(context.folder("still") / "model.still")
    splits = Splits.load(context.folder("data"))
    found = {}
    for name in ("validation", "test"):
        rows = getattr(splits, name)
        texts: list[Any] = [str(text) for text in rows["text"]]
        if "text_pair" in rows.column_names:
            texts = list(zip(texts, map(str, rows["text_pair"]), strict=True))
        parts = []
        with context.progress.task(f"packed student on {name}", len(texts), "texts") as shown:
            for start in range(0, len(texts), _BATCH):
                parts.append(np.asarray(model.logits(texts[start : start + _BATCH], truncate=True)))
                shown.update(min(start + _BATCH, len(texts)))
        logits = np.concatenate(parts)
        truth = Truth(task.label_array(list(rows["label"]), len(splits.labels)))
        found[f"{name}_accuracy"] = task.score(Outputs(logits, logits[:, :0]), truth)
    return found


# Texts of one call: enough for the progress display to move, and for the core to share them among threads.
_BATCH = 256
_SCORE = Stage(
    "score", run_score, "measuring the packed student", needs=("data", "still"), keyed_by=("still",),
    identity=data_identity,
)  # fmt: skip


def teacher_of(context: Context) -> Teacher:
    """What the ladder needs to know, from the finished stages `data` and `teacher`."""
    from transformers import AutoConfig

    from potstill.models.classifier import EncoderClassifierConfig
    from potstill.models.tokens import load_tokenizer

    folder = context.folder("teacher")
    config = AutoConfig.from_pretrained(str(folder))
    encoder = config.backbone_config() if isinstance(config, EncoderClassifierConfig) else config
    splits = Splits.load(context.folder("data"))
    seen = _tokens_seen(load_tokenizer(folder), splits, context.recipe)
    return Teacher(
        int(encoder.num_hidden_layers), int(encoder.hidden_size), int(encoder.vocab_size), seen, len(splits.labels)
    )


def _tokens_seen(tokenizer: Any, splits: Splits, recipe: Recipe) -> int:
    """Tokens that a student with ``vocabulary = "seen"`` keeps; all of them where the tokenizer cannot be pruned."""
    from potstill.distil.vocabulary.choice import pieces_by_settings
    from potstill.distil.vocabulary.prune.tokenizer import Prunable
    from potstill.models.rows import encode_dataset

    try:
        source = Prunable(tokenizer)
    except TrainError:
        return len(tokenizer)
    rows = [
        encode_dataset(tokenizer, texts, recipe.data.max_tokens).ids if texts is not None and len(texts) else []
        for texts in (splits.train, splits.unlabelled)
    ]
    # The budget sets the limit itself.
    own = {"vocabulary_size": None, "vocabulary_characters": VOCABULARY_CHARACTERS}
    settings = recipe.student.model_copy(update=own)
    return len(pieces_by_settings(settings, source, rows[0], rows[1]))
