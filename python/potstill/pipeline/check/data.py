"""The data as the build will read it: files, columns, labels and the rows of each class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from potstill.pipeline.check.findings import Findings
from potstill.work.progress import QuietProgress

if TYPE_CHECKING:
    from potstill.data.splits import Splits
    from potstill.recipe.schema import Recipe

# Classes that are counted one by one in a finding.
_SHOWN = 12


class _Notes(QuietProgress):
    """Keeps what reading reports."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def message(self, text: str) -> None:
        self.lines.append(text)


def check_data(findings: Findings, recipe: Recipe, cache: Path) -> Splits | None:
    """Read and split the data as the first stage does.

    Returns:
        The splits; None where they cannot be read.
    """
    from potstill.data.sources import load_data
    from potstill.models.heads import task_of
    from potstill.pipeline.check.texts import check_script

    task, notes = task_of(recipe), _Notes()
    with findings.refusals("data"):
        absent = _absent(recipe, cache)
        if absent:
            findings.unknown("data", f"not on this machine, the build fetches it first: {', '.join(absent)}")
            return None
        splits = load_data(recipe.data, seed=recipe.seed, cache=cache, progress=notes, task=task)
        for line in notes.lines:
            told = line.removeprefix("data: ")
            if told.startswith("warning: "):
                findings.warning("data", told.removeprefix("warning: "))
            else:
                findings.ok("data", told)
        for warning in getattr(splits, "warnings", ()):
            findings.warning("data", warning)
        if task.labelled:
            findings.ok("classes", _counts(splits))
        check_script(findings, splits)
        return splits
    return None


def _absent(recipe: Recipe, cache: Path) -> list[str]:
    """Demo corpora that were not fetched yet."""
    from potstill.data.corpora import is_there
    from potstill.models.heads import task_of

    sources = [(recipe.data.source, task_of(recipe).labelled), *((name, False) for name in recipe.data.unlabelled)]
    demos = [(name, labelled) for name, labelled in sources if name.startswith("demo:")]
    return [name for name, labelled in demos if not is_there(name, cache, labelled=labelled)]


def _counts(splits: Splits) -> str:
    """Training, validation and test rows (of words: words) of each label."""
    counted = [Counter(_flat(getattr(splits, part)["label"])) for part in ("train", "validation", "test")]
    named = list(enumerate(splits.labels[:_SHOWN]))
    shown = [f"{name} {'/'.join(str(count[label]) for count in counted)}" for label, name in named]
    more = [f"and {len(splits.labels) - _SHOWN} more"] if len(splits.labels) > _SHOWN else []
    return f"train/validation/test: {', '.join(shown + more)}"


def _flat(labels: Iterable[Any]) -> Iterable[int]:
    return chain.from_iterable(label if isinstance(label, list) else [label] for label in labels)
