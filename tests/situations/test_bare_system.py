"""The board's root entered as /: without /proc, read-only, in a cgroup of half a CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Make = Callable[..., Any]
PYTHON = "/usr/bin/python3.11"
POTSTILL = (PYTHON, "-m", "potstill.cli")
THREADS = "import potstill; print(potstill.load('m.still').info['threads'])"


@pytest.mark.parametrize("name", ["pi4", "pi4-32"])
def test_no_proc(make: Make, enter: Make, name: str) -> None:
    """A chroot or container without /proc: everything of the runtime works, threads come from the affinity mask."""
    machine = enter(make(name), proc=False)
    assert machine.run([PYTHON, "-c", "import os; print(os.listdir('/proc'))"]).stdout.strip() == "[]"
    for words in (("run", "m.still", "a film"), ("inspect", "m.still"), ("verify", "m.still")):
        done = machine.run([*POTSTILL, *words])
        assert done.stdout.strip()
        assert done.stderr == ""
    affinity = machine.run([PYTHON, "-c", "import os; print(len(os.sched_getaffinity(0)))"]).stdout
    assert machine.run([PYTHON, "-c", THREADS]).stdout == affinity


def test_no_proc_means_no_memory_figures(make: Make, enter: Make) -> None:
    """What needs /proc says so."""
    machine = enter(make("pi4"), proc=False)
    code = "from potstill.bench.memory import peak_rss_bytes; peak_rss_bytes()"
    done = machine.run([PYTHON, "-c", code], check=False)
    assert "error[S061]: the system does not report peak memory; /proc/self/status; " in done.stderr


def test_read_only_system(make: Make, enter: Make) -> None:
    """An overlay or a card mounted read-only: not even byte code is written."""
    machine = enter(make("pi4"), read_only=True)
    done = machine.run([PYTHON, "-c", "open('/home/pi/x', 'w')"], check=False)
    assert "Read-only file system" in done.stderr
    for words in (("run", "m.still", "a film"), ("inspect", "m.still"), ("verify", "m.still")):
        done = machine.run([*POTSTILL, *words])
        assert done.stdout.strip()
        assert done.stderr == ""


@pytest.mark.parametrize(("quota", "threads"), [("50000 100000", "1"), ("max 100000", None)])
def test_half_a_cpu(make: Make, enter: Make, quota: str, threads: str | None) -> None:
    """cpu.max at the root of the container's own cgroup tree."""
    board = make("pi4", own=True)
    place = board.root / "sys/fs/cgroup"
    place.mkdir(parents=True, exist_ok=True)
    (place / "cpu.max").write_text(f"{quota}\n", encoding="utf-8")
    machine = enter(board)
    affinity = machine.run([PYTHON, "-c", "import os; print(len(os.sched_getaffinity(0)))"]).stdout.strip()
    assert machine.run([PYTHON, "-c", THREADS]).stdout.strip() == (threads or affinity)
