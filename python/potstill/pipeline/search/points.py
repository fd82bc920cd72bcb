"""`potstill search`: students from the cheapest to the most able, and which of them nothing beats.

Points are spread over the predicted front, so that each one tried is the best guess at its price. All are built in the
store of the recipe's own build: teacher and teacher outputs are shared, and a search that was stopped goes on where it
was. Every point leaves its recipe, which builds just that student.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from potstill.boards import board
from potstill.errors import InputError, os_errors
from potstill.models.heads import task_of
from potstill.pipeline.budget.attempt import attempt, teacher_of, with_choice
from potstill.pipeline.budget.ladder import Choice, choices, within
from potstill.pipeline.budget.meet import describe, limits_of, nothing_fits
from potstill.pipeline.builder import STAGES_FOLDER, check_before, check_packages
from potstill.pipeline.engine import run_stages
from potstill.pipeline.stage import Context, Stage
from potstill.pipeline.stages import build_stages, weight_bytes
from potstill.recipe.docs import recipe_text
from potstill.recipe.schema import Budget, BudgetTime, Recipe
from potstill.work.atomic import atomic_write, write_json
from potstill.work.cache import cache_dir
from potstill.work.contents import content_hash
from potstill.work.lock import out_lock
from potstill.work.progress import Progress
from potstill.work.store import Store

FOLDER = "search"
T = TypeVar("T")
# Limits that any student is within: milliseconds, bytes.
_ANY_TIME = 1e12
_ANY_SIZE = 1 << 50


def _with_time(stated: Budget, time: BudgetTime) -> Budget:
    """The limits of the search with its board, tokens and threads, so that these are checked too."""
    longest = stated.ms.value if stated.ms else _ANY_TIME
    size = stated.bytes if stated.stated else _ANY_SIZE
    return stated.model_copy(update={"bytes": size, "ms": time.model_copy(update={"value": longest})})


def run_search(
    recipe: Recipe, out: Path, time: BudgetTime, *, points: int = 8, progress: Progress, cache: Path | None = None
) -> dict[str, Any]:
    """Build students along the predicted front and measure them.

    Args:
        recipe: limits in its `[budget]` bound the search.
        out: the build folder; results go to `search/` in it: `search.json`, `pareto.png`, `recipes/<name>.toml`.
        time: board, tokens and threads of the predicted milliseconds (`value` is not looked at).
        points: students to build at most.
        progress: where to report.
        cache: shared downloads and teacher outputs.

    Returns:
        What `search.json` holds: `teacher` (accuracies, bytes), `board`, `points` (rows as `Attempt`, with `pareto`).

    Raises:
        BuildError: no such board.
        InputError: a task without labels; `points` under 1. TrainError: no student is within the limits.
        PotstillError: as the stages.
    """
    if points < 1:
        raise InputError("I080", f"{points} points", "--points", "give 1 or more")
    board(time.board)  # there is one of that name
    if not task_of(recipe).labelled:
        raise InputError(
            "I016",
            "students are compared by the scores of labels, which this recipe's task does not have",
            f"recipe {recipe.name}, task {recipe.task}",
            "set student.layers and student.hidden, and build",
        )
    check_packages(recipe)
    folder = out / FOLDER
    with os_errors(folder):
        (folder / "recipes").mkdir(parents=True, exist_ok=True)
    with out_lock(out):
        store, context = Store(out / STAGES_FOLDER), Context(recipe, cache or cache_dir(), progress)
        store.sweep()
        # Of the students on the ladder the most able stands for all: what is the teacher's fault, it has too.
        asked = recipe.model_copy(update={"budget": _with_time(recipe.budget, time)})
        look: Callable[[Stage], None] = lambda stage: check_before(asked, context)  # noqa: E731
        run_stages(build_stages(recipe), context, store, stop_after="teacher", before=look)
        ladder = choices(recipe, teacher_of(context), time)
        fitting = within(ladder, limits_of(recipe.budget))
        chosen = spread(predicted_front(fitting), points)
        if not chosen:
            raise nothing_fits(ladder, limits_of(recipe.budget), recipe)
        progress.message(f"search: {len(chosen)} of {len(fitting)} students: {', '.join(c.name for c in chosen)}")
        # A row stands for its settings and its teacher: the store may drop the files, the figures stay.
        known = _known(folder / "search.json")
        rows: list[dict[str, Any]] = []
        for choice in chosen:
            made = with_choice(recipe, choice)
            point = content_hash({**made.content(), "data": context.keys["data"], "teacher": context.keys["teacher"]})
            row = known.get(point)
            if row is None:
                found = attempt(recipe, choice, time, context, store)
                progress.message(f"search: {describe(found)}")
                row = {**asdict(found), "point": point}
            rows.append(row)
            with atomic_write(folder / "recipes" / f"{choice.name}.toml") as temporary:
                temporary.write_text(recipe_text(made), encoding="utf-8")
            result = _result(context, time, rows)
            write_json(folder / "search.json", result)
    return result


def _known(path: Path) -> dict[str, dict[str, Any]]:
    try:
        return {row["point"]: row for row in json.loads(path.read_text(encoding="utf-8"))["points"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _result(context: Context, time: BudgetTime, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    teacher = context.facts("teacher")
    best = measured_front(rows)
    return {
        "recipe": context.recipe.name,
        "board": time.board,
        "tokens": time.tokens,
        "threads": time.threads,
        "teacher": {
            "validation_accuracy": teacher["validation_accuracy"],
            "test_accuracy": teacher["test_accuracy"],
            "bytes": weight_bytes(context.folder("teacher")),
        },
        "points": [{**row, "pareto": row["name"] in best} for row in rows],
    }


def predicted_front(ladder: Sequence[Choice]) -> list[Choice]:
    """Choices of which no other is at least as good in time, bytes and expected ability, cheapest first."""
    costs = [(choice.ms or 0.0, choice.bytes, -choice.expected) for choice in ladder]
    return sorted(_unbeaten(ladder, costs), key=lambda choice: choice.expected)


def _unbeaten(rows: Sequence[T], costs: Sequence[tuple[float, ...]]) -> list[T]:
    """Rows of which no other has costs that are all at most as high, and one lower."""

    def beaten(mine: tuple[float, ...]) -> bool:
        return any(theirs != mine and all(a <= b for a, b in zip(theirs, mine, strict=True)) for theirs in costs)

    return [row for row, mine in zip(rows, costs, strict=True) if not beaten(mine)]


def spread(front: Sequence[Choice], count: int) -> list[Choice]:
    """At most `count` choices, evenly spread over the expected ability, both ends included."""
    if len(front) <= count:
        return list(front)
    if count == 1:
        return [front[-1]]
    low, high = front[0].expected, front[-1].expected
    wanted = [low + (high - low) * place / (count - 1) for place in range(count)]
    picked = [min(front, key=lambda choice: abs(choice.expected - value)) for value in wanted]
    return list(dict.fromkeys(picked))


def measured_front(rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """Names of rows that no other row beats: at least as accurate (validation), small and fast, and better in one."""
    costs = [(-float(row["validation_accuracy"]), float(row["bytes"]), float(row["ms"] or 0.0)) for row in rows]
    return {str(row["name"]) for row in _unbeaten(rows, costs)}
