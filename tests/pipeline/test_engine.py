"""The machinery of a build on fake stages: skipping, keys, kill -9 and resume, interrupts, locks, failures."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from potstill.errors import PotstillError, SystemFailure, TrainError
from potstill.models.recipes import load_recipe
from potstill.pipeline import engine
from potstill.pipeline.engine import run_stages
from potstill.pipeline.stage import Context, Stage
from potstill.pipeline.stages import run_onnx, run_verify
from potstill.work.lock import out_lock, wait_lock
from potstill.work.progress import QuietProgress
from potstill.work.store import Store

HELPER = Path(__file__).with_name("helper_build.py")


def start(out: Path, pause: float = 0.05) -> subprocess.Popen[str]:
    command = [sys.executable, str(HELPER), str(out), str(pause)]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that starts the tests in the background lets its children ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def finish(out: Path) -> str:
    process = start(out, 0.0)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return output


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "the build did not get that far in 30 s"
        time.sleep(0.01)


def log(out: Path) -> list[str]:
    path = out / "log"
    return [line.split(" ", 1)[1] for line in path.read_text().splitlines()] if path.exists() else []


def test_killed_build_resumes_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = start(out)
    wait_for(lambda: "step 4" in log(out))
    process.kill()
    process.communicate()
    assert not (out / "report.json").exists()
    assert not [p for p in (out / "stages" / "slow").iterdir() if not p.name.endswith(".work")]
    output = finish(out)
    assert "one: done earlier" in output
    assert "slow: running, resuming" in output
    report = json.loads((out / "report.json").read_text())
    assert report["ran"] == ["slow", "last"]
    assert 4 <= report["first"] < 20, "it went on from the checkpoint"
    assert log(out).count("one") == 1
    assert log(out)[-1] == "last"
    (stored,) = (out / "stages" / "slow").glob("*/stage.json")
    facts = json.loads(stored.read_text())["facts"]
    assert facts["resumed"] is True
    assert facts["seconds"] >= 4 * 0.05, "the time of the killed attempt counts"
    assert sorted(p.name for p in (out / "stages" / "slow").rglob("*") if p.is_file()) == ["b.txt", "stage.json"]


def test_kills_at_many_moments(tmp_path: Path) -> None:
    """Kill -9 after delays spread over the whole build, import included: the same command always ends well."""
    out = tmp_path / "out"
    for delay in (0.05, 0.2, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7):
        process = start(out, 0.02)
        time.sleep(delay)
        process.kill()
        process.communicate()
    finish(out)
    assert json.loads((out / "report.json").read_text())["first"] is not None
    assert list(out.rglob(".tmp-*")) == []
    output = finish(out)
    assert output.count("done earlier") == 3


def test_interrupt_leaves_a_resumable_build(tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = start(out)
    wait_for(lambda: "step 2" in log(out))
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in errors
    finish(out)
    steps = [line for line in log(out) if line.startswith("step")]
    assert len(steps) <= 21, "all but the interrupted step ran once"


def test_second_build_in_the_same_folder_is_refused_and_a_dead_lock_is_no_obstacle(tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = start(out)
    try:
        wait_for(lambda: bool(log(out)))
        with pytest.raises(SystemFailure) as caught, out_lock(out):
            pass
        assert caught.value.code == "S020"
        assert f"process {process.pid}" in caught.value.what
        assert "--out" in caught.value.next_step
    finally:
        process.kill()
        process.communicate()
    with out_lock(out):
        assert (out / ".lock").read_text() == f"{os.getpid()}\n"


def test_waiting_for_a_lock_is_told_once(tmp_path: Path) -> None:
    told: list[str] = []
    with wait_lock(tmp_path / "l", lambda: told.append("waiting")):
        pass
    assert told == []
    code = (
        "import sys, time; from pathlib import Path; from potstill.work.lock import wait_lock\n"
        "with wait_lock(Path(sys.argv[1])): print('held', flush=True); time.sleep(0.3)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "l")], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    holder.stdout.readline()
    with wait_lock(tmp_path / "l", lambda: told.append("waiting")):
        assert told == ["waiting"]
    holder.communicate()


def context(folder: Path, *settings: str) -> Context:
    return Context(load_recipe("sentiment", settings), folder, QuietProgress())


def counting(ran: list[str]) -> list[Stage]:
    def run(name: str) -> Callable[[Context, Path, Path], Mapping[str, Any]]:
        def work(context: Context, out: Path, folder: Path) -> Mapping[str, Any]:
            ran.append(name)
            (out / "x").write_text(name)
            return {"content": 7}

        return work

    return [
        Stage("data", run("data"), recipe=("seed", "data.source")),
        Stage("teacher", run("teacher"), recipe=("teacher",), needs=("data",)),
        Stage("student", run("student"), recipe=("student",), needs=("teacher", "data"), keyed_by=("teacher",),
              identity=lambda c: {"content": c.facts("data")["content"]}),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ([], []),
        (["export.opset=13"], []),
        (["student.layers=2", "student.init_layers=[1, 3]"], ["student"]),
        (["teacher.epochs=1"], ["teacher", "student"]),
        (["data.source=other.csv"], ["data", "teacher", "student"]),
    ],
)
def test_only_what_a_setting_touches_runs_again(tmp_path: Path, settings: list[str], expected: list[str]) -> None:
    ran: list[str] = []
    run_stages(counting(ran), context(tmp_path), Store(tmp_path))
    assert ran == ["data", "teacher", "student"]
    ran.clear()
    again = run_stages(counting(ran), context(tmp_path, *settings), Store(tmp_path))
    assert ran == expected == again
    ran.clear()
    run_stages(counting(ran), context(tmp_path), Store(tmp_path))
    assert ran == [], "results of the earlier settings are still there"


def test_settings_identity_and_code_count(tmp_path: Path) -> None:
    base = Stage("s", lambda *_: {})
    here = context(tmp_path)
    keys = {
        base.key(here),
        Stage("s", run_onnx).key(here),
        Stage("t", lambda *_: {}).key(here),
        Stage("s", lambda *_: {}, identity=lambda c: {"a": 1}).key(here),
        Stage("s", run_verify).key(here),
        Stage("s", lambda *_: {}, recipe=("seed",)).key(here),
    }
    assert len(keys) == 6
    assert base.key(here) == Stage("s", lambda *_: {"other": 1}).key(here)


def test_stop_after(tmp_path: Path) -> None:
    ran: list[str] = []
    here = context(tmp_path)
    run_stages(counting(ran), here, Store(tmp_path), stop_after="teacher")
    assert ran == ["data", "teacher"] == list(here.records)


def test_prune_keeps_the_newest_results(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for seed in range(6):
        here = context(tmp_path, f"seed={seed}")
        run_stages(counting([]), here, store)
        (store.work("data", "stale") / "checkpoint").write_text("x")
        os.utime(here.folder("data"), (seed, seed))
        engine.prune(store, here)
    left = list((tmp_path / "data").iterdir())
    assert len(left) == engine.KEPT_RESULTS
    assert here.folder("data") in left


def failing(error: BaseException) -> list[Stage]:
    def run(context: Context, out: Path, work: Path) -> Mapping[str, Any]:
        (out / "half").write_text("half")
        raise error

    return [Stage("s", run)]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "S001"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "S001"),
        (RuntimeError("PytorchStreamWriter failed: No space left on device"), "S001"),
        (OSError(errno.EACCES, "Permission denied"), "S002"),
        (TrainError("T001", "a", "b", "c"), "T001"),
    ],
)
def test_disk_failures_of_any_library_get_our_code(tmp_path: Path, error: Exception, code: str) -> None:
    with pytest.raises(PotstillError) as caught:
        run_stages(failing(error), context(tmp_path), Store(tmp_path))
    assert caught.value.code == code
    assert Store(tmp_path).find("s", Stage("s", lambda *_: {}).key(context(tmp_path))) is None


def test_a_failure_on_a_full_disk_is_put_down_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = 0

    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage)
    with pytest.raises(SystemFailure) as caught:
        run_stages(failing(RuntimeError("write failed")), context(tmp_path), Store(tmp_path))
    assert caught.value.code == "S001"


def test_other_failures_pass_unchanged(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        run_stages(failing(ZeroDivisionError()), context(tmp_path), Store(tmp_path))
    with pytest.raises(FileNotFoundError):
        run_stages(failing(FileNotFoundError(errno.ENOENT, "gone")), context(tmp_path), Store(tmp_path))
