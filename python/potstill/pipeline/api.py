"""`potstill.build`: the whole pipeline as one call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from potstill.models.recipes import load_recipe
from potstill.paths import read_path
from potstill.pipeline.builder import run_build
from potstill.runtime.inputs import read_flag, read_strings
from potstill.work.processes import current
from potstill.work.progress import make_progress


def build(
    recipe: str | Path,
    out: str | Path | None = None,
    *,
    overrides: Sequence[str] = (),
    quiet: bool = False,
) -> dict[str, Any]:
    """Run a recipe and write the model, its exports, `report.json` and `report.html`; what `potstill build` does.

    Args:
        recipe: a bundled recipe's name or a TOML file.
        out: output folder; None is `build/<recipe name>`.
        overrides: settings such as ``"student.layers=2"``, applied to the recipe.
        quiet: no progress.
    Returns: what `report.json` holds.
    Raises:
        PotstillError: whatever the recipe, the data or a stage reports.
    """
    from potstill.pipeline.report.html import write_html

    settings = read_strings(overrides, "overrides", 'give a list: ["student.layers=2"]')
    loaded = load_recipe(read_path(recipe, "recipe"), settings)
    folder = out_folder(loaded.name, None if out is None else read_path(out, "out"))
    report = run_build(loaded, folder, progress=make_progress(quiet=read_flag(quiet, "quiet")))
    if current().main:
        write_html(folder)
    return report


def out_folder(name: str, out: str | Path | None) -> Path:
    """Where a recipe's results go."""
    return Path(out) if out is not None else Path("build") / name
