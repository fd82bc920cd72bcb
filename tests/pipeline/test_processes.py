"""One process alone: nothing to wait for. What several share is tested in tests/e2e/test_several_processes.py."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from potstill.errors import RecipeError, SystemFailure
from potstill.work import processes
from potstill.work.processes import Processes


def test_alone_everything_is_done_here() -> None:
    alone = Processes(0, 1).start()
    assert alone.main and alone.broadcast(lambda: 7) == 7
    alone.barrier()
    alone.stop()
    assert alone.share(33, "distil.batch_size") == 33
    with pytest.raises(ZeroDivisionError), alone.failures():
        alone.broadcast(lambda: 1 // 0)


def test_the_launchers_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_CURRENT", [])
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "4")
    found = processes.current()
    assert (found.rank, found.count, found.main) == (2, 4, False)
    assert processes.current() is found


def test_the_batch_is_shared_or_refused() -> None:
    assert Processes(1, 4).share(32, "distil.batch_size") == 8
    for size, hint in ((33, "use 32"), (2, "use 4")):
        with pytest.raises(RecipeError) as error:
            Processes(1, 4).share(size, "distil.batch_size")
        assert error.value.code == "R020" and hint in error.value.next_step


@pytest.mark.parametrize(
    ("error", "noted", "expected"),
    [
        (RuntimeError("[gloo/transport] Connection closed by peer"), None, "ended without a word"),
        (RuntimeError("Connection reset by peer"), "1 of this build failed: error[T001]: x", "error[T001]: x"),
        (ValueError("mine"), "1 of this build failed: y", "mine"),
        (ValueError("mine"), None, "mine"),
    ],
)
def test_a_lost_connection_is_named_by_its_cause(
    monkeypatch: pytest.MonkeyPatch, error: Exception, noted: str | None, expected: str
) -> None:
    notes: list[str] = []
    monkeypatch.setattr(Processes, "_noted", lambda self: noted)
    monkeypatch.setattr(Processes, "_note", lambda self, text: notes.append(text))
    with pytest.raises((ValueError, SystemFailure)) as caught, Processes(0, 2).failures():
        raise error
    assert expected in str(caught.value)
    assert notes == (["0 of this build failed: ValueError: mine"] if expected == "mine" and noted is None else [])


def test_python_m_potstill_is_the_command() -> None:
    def call(*arguments: str) -> Any:
        return subprocess.run(
            [sys.executable, "-m", "potstill", *arguments], capture_output=True, text=True, check=False
        )

    assert call("--version").stdout.startswith("potstill ")
    failed = call("build", "no-such-recipe")
    assert failed.returncode == 2 and "error[R001]" in failed.stderr
