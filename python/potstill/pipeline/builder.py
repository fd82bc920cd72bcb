"""`run_build`: a recipe in, a folder with the model, its exports and the report out."""

from __future__ import annotations

import contextlib
import importlib.util
import time
from pathlib import Path
from typing import Any

from potstill.doctor.check import Status
from potstill.errors import missing_package, os_errors
from potstill.pipeline.engine import disk_failures, prune, run_stages
from potstill.pipeline.publish import DamagedResult, make_report, publish, write_report
from potstill.pipeline.stage import Context, Stage
from potstill.pipeline.stages import build_stages
from potstill.recipe.schema import Recipe
from potstill.work import processes
from potstill.work.atomic import sweep_temporaries
from potstill.work.cache import cache_dir
from potstill.work.lock import out_lock
from potstill.work.progress import Progress, QuietProgress, duration
from potstill.work.store import Store

STAGES_FOLDER = "stages"
# What the stages import, by extra: checked before the first minute of training is spent.
_PACKAGES = {
    "build": ("torch", "transformers", "accelerate", "datasets", "onnx", "onnxruntime", "onnxscript", "onnxsim",
              "flatbuffers", "xxhash"),
    "tflite": ("litert_torch", "ai_edge_litert", "ai_edge_quantizer"),
}  # fmt: skip


def run_build(
    recipe: Recipe,
    out: Path,
    *,
    progress: Progress | None = None,
    cache: Path | None = None,
    stop_after: str | None = None,
    stages: Path | None = None,
    timed: bool = True,
) -> dict[str, Any]:
    """Run a recipe: everything done earlier with the same inputs is kept, what a kill left is resumed.

    Under torchrun every process calls it with the same arguments: see `potstill.work.processes`.

    Args:
        recipe: see `potstill.models.recipes.load_recipe`.
        out: output folder; the results of the stages are kept in its folder `stages`.
        progress: where to report; None is quiet.
        cache: shared downloads and teacher outputs; None is `potstill.work.cache.cache_dir()`.
        stop_after: name of the last stage to run (`data`, `teacher`, `student`, ...); nothing is published then.
        stages: a folder of stage results that several recipes share, in which nothing is removed; one build at a time.
        timed: measure times and memory on this host; otherwise the report has none.
    Returns: what `report.json` holds; with `stop_after`, the facts of each stage.
    Raises:
        PotstillError: see the stages. SystemFailure: a package is missing; another build uses `out`;
            another process of this build failed. RecipeError: the processes do not divide a batch.
    """
    everyone = processes.current()
    shown = progress if progress is not None and everyone.main else QuietProgress()
    check_packages(recipe)
    context = Context(recipe, cache if cache is not None else cache_dir(), shown)
    with contextlib.ExitStack() as held, everyone.failures():
        start = time.monotonic()
        store = Store(stages if stages is not None else out / STAGES_FOLDER)

        def begin() -> None:
            with os_errors(out):
                out.mkdir(parents=True, exist_ok=True)
                store.root.mkdir(parents=True, exist_ok=True)
            held.enter_context(out_lock(out))
            sweep_temporaries(out)
            store.sweep()
            among = f", {everyone.count} processes" if everyone.count > 1 else ""
            shown.message(f"recipe {recipe.name}: building in {out}{among}")
            if not recipe.export.tflite:
                shown.message("TFLite is left out: export.tflite = false")

        def finish() -> dict[str, Any] | None:
            """Publish and report; None where a stored result turned out to be damaged, and was removed."""
            with disk_failures(out):
                report = make_report(context, budget)
                try:
                    publish(context, out)
                except DamagedResult as found:
                    shown.message(f"{found.stage}: its stored result is damaged and is made again")
                    store.discard(context.records[found.stage])
                    return None
                write_report(report, out)
                if stages is None:
                    prune(store, context)
            return report

        def look(stage: Stage) -> None:
            # Comparing and measuring make nothing, and reading the data asks no teacher.
            if stage.name not in ("verify", "bench") and stop_after != "data":
                check_before(recipe, context)

        everyone.broadcast(begin)
        budget = None
        if recipe.budget.stated and stop_after not in ("data", "teacher"):
            from potstill.pipeline.budget.meet import meet_budget

            recipe, budget = meet_budget(recipe, context, store, before=look)
            shown.message(f"budget: {budget['chosen']} is built")
            context = Context(recipe, context.cache, shown)
        wanted = [stage for stage in build_stages(recipe) if timed or stage.name != "bench"]
        report = None
        while report is None:
            run_stages(wanted, context, store, stop_after=stop_after, before=look if budget is None else None)
            if stop_after is not None:
                return {name: record.facts for name, record in context.records.items()}
            report = everyone.broadcast(finish)
        shown.message(f"recipe {recipe.name}: done in {duration(time.monotonic() - start)}")
    return report


def check_before(recipe: Recipe, context: Context) -> None:
    """Refuse, before anything is made, what a later stage would refuse (`potstill.pipeline.check`); warnings are shown.

    Raises:
        PotstillError: what the build would end in; a RecipeError for several reasons.
    """
    from potstill.pipeline.check import check_recipe

    found = check_recipe(recipe, cache=context.cache, fetch=True)
    for finding in found.checks:
        if finding.status in (Status.WARNING, Status.NOT_CHECKED):
            context.progress.message(f"{finding.status}: {finding.name}: {finding.seen}")
    found.require(f"recipe {recipe.name}")


def check_packages(recipe: Recipe) -> None:
    """Tell early which package is missing, before any work.

    Raises:
        SystemFailure: a package of the extra `build`, or of `tflite` when the recipe wants TFLite, is missing.
    """
    for extra, packages in _PACKAGES.items():
        if extra == "tflite" and not recipe.export.tflite:
            continue
        for package in packages:
            if importlib.util.find_spec(package) is None:
                wanted = (
                    "TFLite export (export.tflite = false leaves it out)" if extra == "tflite" else "potstill build"
                )
                raise missing_package(package.replace("_", "-"), extra, wanted)
