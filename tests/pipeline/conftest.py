"""Builds whose stages do next to nothing, and a real file system that is soon full."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from stub_stages import FACTS, FILES

from potstill.pipeline import builder as run
from potstill.pipeline.stage import Context, Stage
from potstill.pipeline.stages import build_stages
from potstill.recipe import Recipe


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    mount = tmp_path / "small"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(mount)]
    try:
        mounted = subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("mounting a small tmpfs needs root; refused writes are tested by a limit of the process too")
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the stages whose (replaced) work was done."""
    names: list[str] = []

    def work(name: str) -> Callable[[Context, Path, Path], Mapping[str, Any]]:
        def act(context: Context, out: Path, work: Path) -> Mapping[str, Any]:
            names.append(name)
            for file in FILES.get(name, []):
                (out / file).parent.mkdir(exist_ok=True)
                (out / file).write_text(f"{file} {context.recipe.student.layers} {context.recipe.export.opset}")
            return FACTS.get(name, {})

        return act

    def fake(recipe: Recipe) -> list[Stage]:
        return [dataclasses.replace(stage, run=work(stage.name)) for stage in build_stages(recipe)]

    monkeypatch.setattr(run, "build_stages", fake)
    monkeypatch.setattr(run, "check_packages", lambda recipe: None)
    # Its own tests are in tests/check: here the teacher is none, and its work is replaced.
    monkeypatch.setattr(run, "check_before", lambda recipe, context: None)
    return names
