"""A read-only file system: what only reads works, what writes ends with S002."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import potstill
from onnx_graphs import encoder
from tiny_still import write_model

REPORT = {
    "recipe": "demo",
    "seconds_total": 12.4,
    "teacher": {"test_accuracy": 0.88},
    "student": {"test_accuracy": 0.87},
    "packed": {"test_accuracy": 0.87},
    "retained": 0.99,
    "bytes": {"teacher": 91_000_000, "onnx": 57_000_000, "still": 14_000_000},
    "parity": [],
    "bench": [],
}
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model and a build's report."""
    place = tmp_path_factory.mktemp("read-only")
    write_model(place / "m.still")
    (place / "report.json").write_text(json.dumps(REPORT), encoding="utf-8")
    return place


@pytest.fixture
def run(folder: Path) -> Run:
    """Runs ``potstill ...`` in the folder, which cannot be written: mounted read-only for the process; without user
    namespaces an ordinary user's mode bits do, while root needs the mount."""
    mount = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && cd "$0" && exec "$@"'
    prefix = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, str(folder)]
    mounted = shutil.which("unshare") and subprocess.run([*prefix, "true"], capture_output=True).returncode == 0
    if not mounted and os.geteuid() == 0:
        pytest.skip("root writes everywhere, and this host allows no user namespace to mount a folder read-only in")
    if not mounted:
        folder.chmod(0o555)

    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        words = [*(prefix if mounted else []), sys.executable, "-m", "potstill.cli", *arguments]
        package = str(Path(potstill.__file__).parents[1])
        environment = {**os.environ, "HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "", "PYTHONPATH": package}
        return subprocess.run(words, capture_output=True, text=True, check=False, cwd=folder, env=environment)

    return command


@pytest.mark.parametrize("words", [("run", "m.still", "a b c"), ("inspect", "m.still"), ("verify", "m.still")])
def test_reading_needs_no_writable_place(run: Run, words: tuple[str, ...]) -> None:
    """The board's commands."""
    done = run(*words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert done.stderr == ""


WRITING = {
    "bench": (("bench", "m.still", "--lengths", "8", "--json", "rows.json"), "rows.json"),
    "report": (("report", "."), "report.html"),
    "build": (("build", "sentiment", "--out", "b"), "b"),
    "recipe": (("recipe", "new", "mine.toml"), "mine.toml"),
}


@pytest.mark.parametrize("name", WRITING)
def test_writing_is_refused_clearly(run: Run, folder: Path, name: str) -> None:
    """S002 names the file; nothing is left behind."""
    words, file = WRITING[name]
    before = sorted(path.name for path in folder.iterdir())
    done = run(*words)
    assert done.returncode == 1
    assert "error[S002]: not allowed to write; " in done.stderr
    assert file in done.stderr.splitlines()[-1]
    assert sorted(path.name for path in folder.iterdir()) == before


def test_compile(run: Run, folder: Path, tmp_path: Path) -> None:
    """The model compiled, then had no place to go."""
    graph = encoder(tmp_path / "plain.onnx")
    done = run("compile", str(graph), "-o", "out.still")
    assert done.returncode == 1
    assert "error[S002]: not allowed to write; out.still; " in done.stderr
