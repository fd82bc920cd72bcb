"""The stages between student and exports that deal with rounding, and which student the later stages read.

`sensitivity` measures the layers, present when the scheme is `mixed`; `gptq` rounds int4 layers on texts; `qat` trains
the student on for its scheme, present when `quantize.qat_epochs` is above 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from potstill.data.splits import Splits
from potstill.pipeline.stage import Context, Stage, data_identity
from potstill.recipe.schema import Recipe
from potstill.work.progress import Progress
from potstill.work.store import Store

if TYPE_CHECKING:
    from potstill.still.schemes import Scheme

_SCHEME_KEYS = ("compile.scheme", "compile.embedding", "compile.mixed_drop", "compile.mixed_bytes")
# What decides the names of operators and the limits of the export.
_EXPORT_KEYS = ("export.opset", "data.max_tokens", "compile.max_tokens")


def max_tokens(recipe: Recipe) -> int:
    """Longest text of the exported models, in tokens."""
    return recipe.compile.max_tokens or recipe.data.max_tokens


def final_stage(recipe: Recipe) -> str:
    """The stage whose student is exported and compiled."""
    return "qat" if recipe.quantize.qat_epochs > 0 else _rounded_stage(recipe)


def _rounded_stage(recipe: Recipe) -> str:
    """The stage whose student is trained for the scheme, where one is."""
    some_int4 = recipe.compile.scheme in ("int4", "mixed")
    return "gptq" if some_int4 and recipe.quantize.rounding == "gptq" else "student"


def final_student(context: Context) -> Path:
    """Folder of that student."""
    return context.folder(final_stage(context.recipe))


def rounding_stages(recipe: Recipe) -> list[Stage]:
    """The stages of this module that the recipe asks for."""
    stages = []
    measured = ("sensitivity",) if recipe.compile.scheme == "mixed" else ()
    if measured:
        stages.append(
            Stage("sensitivity", run_sensitivity, "measuring what rounding costs", recipe=(*_EXPORT_KEYS, "task"),
                  needs=("data", "student"), keyed_by=("student",), identity=data_identity)
        )  # fmt: skip
    start = _rounded_stage(recipe)
    if start == "gptq":
        stages.append(
            Stage("gptq", run_gptq, "rounding the student's int4 layers on texts",
                  recipe=("quantize.clip", "quantize.calibration_rows", *_SCHEME_KEYS, *_EXPORT_KEYS, "task"),
                  needs=("data", "student", *measured), keyed_by=("student", *measured), identity=data_identity)
        )  # fmt: skip
    if recipe.quantize.qat_epochs > 0:
        stages.append(
            Stage("qat", run_qat, "training the student with rounded weights",
                  recipe=("seed", "task", "distil", "quantize", *_SCHEME_KEYS, *_EXPORT_KEYS),
                  needs=("data", "teacher", start, *measured), keyed_by=("teacher", start, *measured),
                  identity=data_identity, parallel=True)
        )  # fmt: skip
    return stages


def chosen_scheme(context: Context) -> Scheme:
    """The scheme of `model.still`: the recipe's, for `mixed` by what the stage `sensitivity` measured.

    Raises:
        CompileError: the budget of bytes cannot be met.
    """
    from potstill.quantize.choice import choose, layers_of, read_table
    from potstill.quantize.sensitivity import TABLE
    from potstill.still.schemes import scheme_by_name

    settings, clip = context.recipe.compile, context.recipe.quantize.clip
    if settings.scheme != "mixed":
        return scheme_by_name(settings.scheme, embedding=settings.embedding, clip=clip)
    layers = layers_of(read_table(context.folder("sensitivity") / TABLE))
    return choose(
        layers, drop=settings.mixed_drop, most_bytes=settings.mixed_bytes, embedding=settings.embedding, clip=clip
    ).scheme


def run_sensitivity(context: Context, out: Path, work: Path) -> Mapping[str, Any]:
    """`sensitivity.json`, the table that `mixed` chooses by."""
    from potstill.quantize.sensitivity import TABLE, measure_folder, write_table

    recipe = context.recipe
    table = measure_folder(
        context.folder("student"),
        Splits.load(context.folder("data")).validation,
        work,
        data_tokens=recipe.data.max_tokens,
        max_tokens=max_tokens(recipe),
        opset=recipe.export.opset,
        task_name=recipe.task,
        progress=context.progress,
    )
    write_table(table, out / TABLE)
    return {"rows": table["rows"], "all": table["all"], "layers": table["layers"]}


def run_gptq(context: Context, out: Path, work: Path) -> Mapping[str, Any]:
    """Round the int4 layers on training texts; a Hugging Face folder whose weights there lie on the scheme's grid."""
    from potstill.quantize.gptq import round_student

    recipe = context.recipe
    return round_student(
        context.folder("student"),
        Splits.load(context.folder("data")),
        out,
        work,
        scheme=chosen_scheme(context),
        task_name=recipe.task,
        rows=recipe.quantize.calibration_rows,
        data_tokens=recipe.data.max_tokens,
        max_tokens=max_tokens(recipe),
        opset=recipe.export.opset,
        progress=context.progress,
    )


def run_qat(context: Context, out: Path, work: Path) -> Mapping[str, Any]:
    """Train the student for its scheme; a Hugging Face folder whose weights lie on the scheme's grid."""
    from potstill.quantize import qat

    recipe, scheme = context.recipe, chosen_scheme(context)
    return qat.quantize_aware(
        recipe,
        Splits.load(context.folder("data")),
        context.folder("teacher"),
        context.folder(_rounded_stage(recipe)),
        out,
        scheme=scheme,
        max_tokens=max_tokens(recipe),
        cache=context.cache,
        work=work,
        progress=context.progress,
    )


def sensitivity_of_build(out: Path, *, rows: int = 512, progress: Progress | None = None) -> dict[str, Any]:
    """The table of a finished build: the stored one where its scheme is `mixed`, else measured now.

    Raises:
        SystemFailure: no report in the folder; it cannot be read; stages are gone or
            damaged.
        InputError: a task without labels.
    """
    import tempfile

    from potstill.errors import SystemFailure
    from potstill.pipeline.report.collect import collect
    from potstill.quantize.choice import read_table
    from potstill.quantize.sensitivity import TABLE, measure_folder

    report = collect(out)
    keys, settings = report.get("keys"), report.get("settings")
    if not isinstance(keys, dict) or not isinstance(settings, dict) or not {"student", "data"} <= keys.keys():
        raise SystemFailure("S016", "the report names no stages", str(out), "remove it and build again")
    # Recipes built under one seed share a folder of stages beside theirs.
    store = Store(next((folder for folder in (out, out.parent) if (folder / "stages").is_dir()), out) / "stages")
    if "sensitivity" in keys and (record := store.find("sensitivity", keys["sensitivity"])) is not None:
        return read_table(record.folder / TABLE)
    folders = {}
    for stage in ("student", "data"):
        record = store.find(stage, keys[stage])
        if record is None or store.damage(record) is not None:
            raise SystemFailure(
                "S017",
                f"the result of the stage {stage} is gone or damaged",
                str(store.folder(stage, keys[stage])),
                "run potstill build again",
            )
        folders[stage] = record.folder
    longest = settings["compile"]["max_tokens"] or settings["data"]["max_tokens"]
    with tempfile.TemporaryDirectory() as work:
        return measure_folder(
            folders["student"],
            Splits.load(folders["data"]).validation,
            Path(work),
            data_tokens=settings["data"]["max_tokens"],
            max_tokens=longest,
            opset=settings["export"]["opset"],
            task_name=settings.get("task", "classification"),
            rows=rows,
            progress=progress,
        )
