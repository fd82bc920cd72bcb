"""The tiny task of the end-to-end tests."""

from __future__ import annotations

import functools
import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tiny_files import sentence, write_task

from potstill.compare import host
from warm_process import WarmProcess


@pytest.fixture(scope="module", autouse=True)
def quick_bench() -> Iterator[None]:
    """Builds in this process have a short benchmark: two rounds at one length, all engines in this process."""
    quick = functools.partial(host.bench_host, rounds=2, lengths=(16,), apart=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(host, "bench_host", quick)
        yield


@dataclass(frozen=True)
class TinyTask:
    """The tiny task, written into a folder of the test run."""

    folder: Path
    recipe: Path

    def sentences(self, count: int, seed: int) -> list[str]:
        """New sentences; those at even places are negative, at odd ones positive."""
        rng = random.Random(seed)
        return [sentence(rng, index % 2) for index in range(count)]


@pytest.fixture(scope="module")
def tiny_task(tmp_path_factory: pytest.TempPathFactory) -> TinyTask:
    """The tiny task in a fresh folder."""
    folder = tmp_path_factory.mktemp("tiny")
    return TinyTask(folder, write_task(folder))


# A build by the library, with a short benchmark.
COMMAND = """
import functools, json, sys, time
from pathlib import Path
start = time.monotonic()
from potstill.work.progress import make_progress
from potstill.pipeline.builder import run_build
from potstill.models.recipes import load_recipe
from potstill.compare import host
host.bench_host = functools.partial(host.bench_host, rounds=2, lengths=(16,), apart=False)
recipe, out, cache = map(Path, sys.argv[1:4])
last = sys.argv[4] or None
recipe = load_recipe(recipe, sys.argv[5:])
found = run_build(recipe, out, progress=make_progress(), cache=cache, stop_after=last)
modules = sorted({name.split(".")[0] for name in sys.modules})
print(json.dumps({"seconds": time.monotonic() - start, "modules": modules, "found": found}))
"""


class Build:
    """Builds of the tiny task; each in a process of its own."""

    def __init__(self, task: TinyTask, name: str) -> None:
        self.task = task
        self.out = task.folder / name
        self.cache = task.folder / f"{name}-cache"

    def start(self, *settings: str, stop_after: str = "", fresh: bool = False) -> subprocess.Popen[str] | WarmProcess:
        """Begin a build; `fresh`: in a Python of its own instead of one that has the libraries."""
        arguments = [*map(str, (self.task.recipe, self.out, self.cache)), stop_after, *settings]
        if fresh:
            command = [sys.executable, "-c", COMMAND, *arguments]
            return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return WarmProcess(COMMAND, arguments, self.task.folder / f"{self.out.name}-printed", {})

    def run(self, *settings: str, stop_after: str = "", fresh: bool = False) -> tuple[dict[str, Any], str]:
        """What the process printed as JSON, and its progress."""
        process = self.start(*settings, stop_after=stop_after, fresh=fresh)
        output, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        return json.loads(output.splitlines()[-1]), errors

    def report(self) -> dict[str, Any]:
        """The content of report.json."""
        found: dict[str, Any] = json.loads((self.out / "report.json").read_text(encoding="utf-8"))
        return found


@pytest.fixture(scope="module")
def make_build(tiny_task: TinyTask) -> Callable[[str], Build]:
    """Make builds of the tiny task, each with an output folder and a cache of that name."""
    return lambda name: Build(tiny_task, name)
