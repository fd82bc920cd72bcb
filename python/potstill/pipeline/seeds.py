"""Recipes under several seeds: one split, teacher and student say little where the test set has a thousand rows."""

from __future__ import annotations

import re
import shlex
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from potstill.errors import InputError
from potstill.models.recipes import load_recipe
from potstill.pipeline.builder import STAGES_FOLDER, run_build
from potstill.pipeline.report.intervals import retained
from potstill.work.atomic import write_json
from potstill.work.progress import Progress

RESULT = "seeds.json"


def run_seeds(
    recipes: Sequence[str], seeds: Sequence[int], out: Path, *, overrides: Sequence[str] = (), progress: Progress
) -> dict[str, Any]:
    """Build every recipe under every seed, and take mean and spread of the figures.

    Builds lie in `out/seed-N/<recipe>`, without measured times; those of one seed share their stages, so recipes of
    equal data and teacher train it once. What was done earlier is kept.

    Args:
        recipes: names or paths, each optionally followed by overrides of its own: ``sentiment compile.scheme=int8``.
        seeds: each replaces the recipe's own.
        out: folder; `seeds.json` is written to it after every build.
        overrides: as for `load_recipe`.
        progress: where to report.

    Returns:
        `seeds`, and `recipes`: by name `builds` (figures by seed, see `figures`), `mean` and `spread` (sample standard
        deviation; 0 with one seed) of each figure.

    Raises:
        InputError: a seed twice, or two recipes of one name; a recipe that cannot be read.
        PotstillError: as `run_build`.
    """
    loaded = [_variant(recipe, overrides) for recipe in recipes]
    names = [name for _, _, name in loaded]
    for what, values in (("seed", list(map(str, seeds))), ("recipe", names)):
        if twice := {value for value in values if values.count(value) > 1}:
            raise InputError("I081", f"the {what} {twice.pop()} is given twice", "potstill seeds", "give it once")
    result: dict[str, Any] = {"seeds": [], "recipes": {name: {"builds": {}} for name in names}}
    for seed in seeds:
        for recipe, changes, name in loaded:
            progress.message(f"seed {seed}, recipe {name}")
            folder, build = out / f"seed-{seed}", re.sub(r"[^\w.=-]+", "-", name)
            made = load_recipe(recipe, [*changes, f"seed={seed}"])
            report = run_build(made, folder / build, progress=progress, stages=folder / STAGES_FOLDER, timed=False)
            result["recipes"][name]["builds"][str(seed)] = figures(report)
            result["recipes"][name] |= summary(list(result["recipes"][name]["builds"].values()))
            write_json(out / RESULT, result)
        result["seeds"].append(seed)
        write_json(out / RESULT, result)
    return result


def _variant(text: str, overrides: Sequence[str]) -> tuple[str, list[str], str]:
    """Recipe, overrides and the name of the row of ``RECIPE [KEY=VALUE ...]``; a name that is a file is one.

    Raises:
        InputError: an unclosed quote, or nothing but spaces. RecipeError: as `load_recipe`.
    """
    try:
        recipe, *own = [text] if Path(text).is_file() else shlex.split(text)
    except ValueError:
        what = "give RECIPE, or RECIPE KEY=VALUE ... in quotes"
        raise InputError("I082", f"not a recipe with overrides: {text!r}", "potstill seeds", what) from None
    changes = [*overrides, *own]
    return recipe, changes, " ".join([load_recipe(recipe, changes).name, *own])


def figures(report: Mapping[str, Any]) -> dict[str, float]:
    """The figures of a build that seeds move, from its report: shares 0-1, bytes, points."""
    accuracy, agreement, sizes = report["accuracy"], report["label_agreement"], report["bytes"]
    # Against the fp32 student, which after training for a scheme is not the one that was exported.
    agreement = agreement | report.get("before_agreement", {})
    teacher = report["teacher"]["test_accuracy"]
    student = accuracy.get("student_fp32", report["student"]["test_accuracy"])
    found = {
        "teacher": teacher,
        "student_fp32": student,
        "packed": accuracy["still"],
        "packed_cost_points": 100 * (student - accuracy["still"]),
        "packed_agreement": agreement["still"],
        "test_rows": report.get("rows", {}).get("test", 0),
        "bytes": sizes["still"],
        "bytes_of_teacher": sizes["still"] / sizes["teacher"],
    }
    kept = retained(accuracy["still"], teacher, report["teacher"].get("test_guess", 0.0))
    if kept is not None:
        found["retained"] = kept
    for name in ("onnx_int8", "tflite_int8"):
        if name in accuracy:
            found |= {name: accuracy[name], f"{name}_agreement": agreement[name], f"{name}_bytes": sizes[name]}
    return {name: float(value) for name, value in found.items()}


def summary(builds: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Mean and sample standard deviation of each figure that every build has."""
    common = [name for name in builds[0] if all(name in build for build in builds)]
    values = {name: [build[name] for build in builds] for name in common}
    return {
        "mean": {name: statistics.fmean(found) for name, found in values.items()},
        "spread": {name: statistics.stdev(found) if len(found) > 1 else 0.0 for name, found in values.items()},
    }
