"""Meeting a budget: which student the recipe's limits allow, found by building as few as possible."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from potstill.errors import TrainError
from potstill.pipeline.budget.attempt import Attempt, attempt, teacher_of, with_choice
from potstill.pipeline.budget.ladder import PRECISIONS, Choice, choices, excess, within
from potstill.pipeline.engine import run_stages
from potstill.pipeline.stage import Context, Stage, data_identity
from potstill.pipeline.stages import build_stages
from potstill.recipe.schema import Budget, Recipe
from potstill.units import show_bytes
from potstill.work.store import Store

Try = Callable[[Choice], Attempt]
# Sections and keys that decide the choice, apart from the teacher and the data.
_RECIPE = ("seed", "task", "student", "distil", "quantize", "compile", "data.max_tokens", "budget")


def meet_budget(
    recipe: Recipe, context: Context, store: Store, *, before: Callable[[Stage], None] | None = None
) -> tuple[Recipe, dict[str, Any]]:
    """The recipe of the student that meets `recipe.budget`, and how it was found.

    Without `accuracy_drop` the most able student within the limits is built, once. With it, sizes are tried from the
    cheapest up until one holds the accuracy; then cheaper numbers for that size are tried, and the cheapest that still
    holds it is taken. Accuracy is judged on the validation set.

    Args:
        before: see `run_stages`.

    Returns:
        The recipe, and facts: `chosen`, `tried` (a row each, see `Attempt`, with `verdict`), `limits`, `considered`.

    Raises:
        TrainError: no choice is within the limits; none of them keeps the accuracy. Both name the nearest.
    """
    stages = build_stages(recipe)
    ran = run_stages(stages, context, store, stop_after="teacher", before=before)

    def run(inner: Context, out: Path, work: Path) -> Mapping[str, Any]:
        del out, work
        return _choose(recipe, inner, store)

    stage = Stage(
        "budget", run, "choosing the student that meets the budget", recipe=_RECIPE, needs=("data", "teacher"),
        keyed_by=("teacher",), identity=data_identity, parallel=True,
    )  # fmt: skip
    first = [found for found in stages if found.name in ("data", "teacher")]
    run_stages([*first, stage], context, store, before=None if ran else before)
    facts = context.own_facts("budget")
    ladder = choices(recipe, teacher_of(context), recipe.budget.ms)
    return with_choice(recipe, next(choice for choice in ladder if choice.name == facts["chosen"])), facts


def _choose(recipe: Recipe, context: Context, store: Store) -> dict[str, Any]:
    budget = recipe.budget
    ladder = choices(recipe, teacher_of(context), budget.ms)
    limits = limits_of(budget)
    fitting = within(ladder, limits)
    if not fitting:
        raise nothing_fits(ladder, limits, recipe)
    tried: list[dict[str, Any]] = []

    def build(choice: Choice) -> Attempt:
        found = attempt(recipe, choice, budget.ms, context, store)
        verdict = _verdict(found, limits, budget)
        tried.append({**asdict(found), "verdict": verdict})
        context.progress.message(f"budget: {describe(found)}: {verdict}")
        return found

    chosen = _most_able(fitting, limits, build) if budget.accuracy_drop is None else _cheapest(fitting, budget, build)
    if chosen is None:
        raise _nothing_holds(tried, recipe)
    return {"chosen": chosen.name, "tried": tried, "limits": limits, "considered": len(ladder), "fitting": len(fitting)}


def limits_of(budget: Budget) -> dict[str, float]:
    """Limits on predicted costs, by name."""
    limits: dict[str, float] = {}
    if budget.bytes is not None:
        limits["bytes"] = budget.bytes
    if budget.ms is not None:
        limits["ms"] = budget.ms.value
    return limits


def _keeps(found: Attempt, limits: Mapping[str, float]) -> bool:
    return excess(limits, {"bytes": found.bytes, "ms": found.ms}) <= 1.0


def _verdict(found: Attempt, limits: Mapping[str, float], budget: Budget) -> str:
    if not _keeps(found, limits):
        return "over the limits after all: the prediction was too low"
    if budget.accuracy_drop is not None and found.drop > budget.accuracy_drop:
        return f"too much, {budget.accuracy_drop:g} points are allowed"
    return "within the budget"


def _most_able(fitting: Sequence[Choice], limits: Mapping[str, float], build: Try) -> Choice | None:
    for choice in sorted(fitting, key=lambda choice: (-choice.expected, choice.cost)):
        if _keeps(build(choice), limits):
            return choice
    return None


def _cheapest(fitting: Sequence[Choice], budget: Budget, build: Try) -> Choice | None:
    limits, allowed = limits_of(budget), float(budget.accuracy_drop or 0.0)

    def holds(choice: Choice) -> bool:
        found = build(choice)
        return _keeps(found, limits) and found.drop <= allowed

    for size in dict.fromkeys(choice.size for choice in fitting):  # in the order of the ladder: cheapest first
        best = max((choice for choice in fitting if choice.size == size), key=lambda choice: choice.expected)
        if not holds(best):
            continue
        # The same student with cheaper numbers: compiling again, and for int4 some training of its own.
        order = [precision.name for precision in PRECISIONS]
        cheaper = [
            c for c in fitting if (c.size, c.vocabulary) == (best.size, best.vocabulary) and c.bytes < best.bytes
        ]
        for choice in sorted(cheaper, key=lambda choice: order.index(choice.precision.name), reverse=True):
            if holds(choice):
                return choice
        return best
    return None


def describe(found: Attempt) -> str:
    """One line: name, bytes, predicted time, accuracy."""
    ms = "" if found.ms is None else f", {found.ms:.2f} ms"
    side = f"{abs(found.drop):.1f} points {'under' if found.drop >= 0 else 'over'} the teacher"
    accuracy = f"{100 * found.validation_accuracy:.1f} % on validation ({side})"
    return f"{found.name}: {show_bytes(found.bytes)}{ms}, {accuracy}"


def nothing_fits(ladder: Sequence[Choice], limits: Mapping[str, float], recipe: Recipe) -> TrainError:
    """The error, which names the choice that comes nearest."""
    if not ladder:
        return TrainError(
            "T082", "the teacher is smaller than the smallest student", "budget",
            "leave [budget] out and set student.layers and student.hidden",
        )  # fmt: skip
    nearest = min(ladder, key=lambda choice: excess(limits, {"bytes": choice.bytes, "ms": choice.ms}))
    ms = "" if nearest.ms is None else f" and {nearest.ms:.2f} ms"
    allowed = ", ".join(
        show_bytes(value)
        if name == "bytes"
        else f"{value:g} ms on {recipe.budget.ms.board if recipe.budget.ms else ''}"
        for name, value in limits.items()
    )
    return TrainError(
        "T080",
        f"none of {len(ladder)} students fits into {allowed}",
        f"recipe {recipe.name}, budget",
        f"the nearest is {nearest.name} with {show_bytes(nearest.bytes)}{ms} (predicted): raise the limit to that, or "
        "give shorter texts (budget.ms.tokens, compile.max_tokens)",
    )


def _nothing_holds(tried: Sequence[Mapping[str, Any]], recipe: Recipe) -> TrainError:
    rows = [row for row in tried if not str(row["verdict"]).startswith("over")] or list(tried)
    best = min(rows, key=lambda row: row["drop"])
    ms = "" if best["ms"] is None else f", {best['ms']:.2f} ms"
    return TrainError(
        "T081",
        f"no student within the limits loses at most {recipe.budget.accuracy_drop:g} points; {len(tried)} were tried",
        f"recipe {recipe.name}, budget.accuracy_drop",
        f"the nearest is {best['name']}: {best['drop']:.1f} points, {show_bytes(best['bytes'])}{ms}; set "
        f"budget.accuracy_drop = {best['drop'] + 0.05:.1f} to take it, raise the other limits, or give more text "
        "(data.unlabelled)",
    )
