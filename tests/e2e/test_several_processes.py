"""A whole build in two processes under torchrun, beside the same build in one; and what happens when one fails."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from warm_process import WarmProcess

pytestmark = pytest.mark.builds

# `potstill build`, with a short benchmark; each process leaves the weights it ended training with.
JOB = """
import functools, os, sys, time
from pathlib import Path
import torch
from potstill.compare import host
from potstill.distil.train.checkpoints import KeepBest
from potstill.distil.teacher import cache as teacher_cache
from potstill.distil.train.trainer import DistillationTrainer
from potstill.cli import main

rank, folder, failing = os.environ.get("RANK", "0"), Path(sys.argv[1]), sys.argv[2]
host.bench_host = functools.partial(host.bench_host, rounds=2, lengths=(16,), apart=False)
teacher_cache.SHARD_ROWS = 64
write = teacher_cache.Shard.write

def logged(self, values):
    with (folder / f"shards-{rank}").open("a") as stream:
        print(self.path.name, file=stream)
    write(self, values)

teacher_cache.Shard.write = logged
restore = KeepBest.restore_best

def restored(self, model):
    restore(self, model)
    torch.save(dict(model.state_dict()), folder / f"best-{rank}.pt")

KeepBest.restore_best = restored
train = DistillationTrainer.train

def trained(self, *args, **kwargs):
    (folder / f"pid-{rank}").write_text(str(os.getpid()))
    if failing == "raise" and rank == "1":
        from potstill.errors import TrainError
        raise TrainError("T999", "made to fail", "this test", "nothing")
    if failing == "wait":
        time.sleep(0 if rank == "0" else 600)
    found = train(self, *args, **kwargs)
    weights = {**self.model.state_dict(), **(self.tokens.state_dict() if self.tokens else {})}
    torch.save({name: tensor.detach() for name, tensor in weights.items()}, folder / f"last-{rank}.pt")
    return found

DistillationTrainer.train = trained
sys.exit(main(sys.argv[3:]))
"""

SETTINGS = ("export.tflite=false", "distil.hidden=0.5", "distil.relations=0.5")


class Runs:
    """Builds of the tiny task with so many processes."""

    def __init__(self, task: Any) -> None:
        self.task = task

    def start(self, name: str, count: int, *settings: str, failing: str = "") -> subprocess.Popen[str] | WarmProcess:
        folder = self.task.folder / name
        folder.mkdir(exist_ok=True)
        arguments = ["build", str(self.task.recipe), "--out", str(folder / "out")]
        for setting in (*SETTINGS, *settings):
            arguments += ["--set", setting]
        cache = {"POTSTILL_CACHE": str(folder / "cache")}
        if count == 1:
            return WarmProcess(JOB, [str(folder), failing, *arguments], folder / "printed", cache)
        script = folder / "job.py"
        script.write_text(JOB, encoding="utf-8")
        command = [sys.executable, "-m", "torch.distributed.run", f"--nproc_per_node={count}", "--rdzv-backend=c10d"]
        command += ["--rdzv-endpoint=localhost:0"]
        # Refused before any library is needed: the command alone, without what is watched in training.
        command += ["-m", "potstill"] if failing == "early" else [str(script), str(folder), failing]
        return subprocess.Popen(
            [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, **cache},
        )  # fmt: skip

    def run(self, name: str, count: int, *settings: str, failing: str = "") -> tuple[int | None, str, str]:
        process = self.start(name, count, *settings, failing=failing)
        output, errors = process.communicate(timeout=300)
        return process.returncode, output, errors


@pytest.fixture(scope="module")
def runs(tiny_task: Any) -> Runs:
    return Runs(tiny_task)


def report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "out" / "report.json").read_text(encoding="utf-8"))
    return found


def test_two_processes_give_the_build_of_one(runs: Runs) -> None:
    alone, both = runs.task.folder / "alone", runs.task.folder / "both"
    code, _, errors = runs.run("alone", 1)
    assert code == 0, errors
    code, output, errors = runs.run("both", 2)
    assert code == 0, errors
    # Process 0 alone prints, and every line once.
    assert output.count("report: ") == 1
    assert errors.count("recipe tiny: building in") == 1 and ", 2 processes" in errors
    assert errors.count("student, epoch 4:") == 1
    # Each process filled its part of the teacher cache; 320 rows are 5 shards of 64, of outputs and of three places.
    shards = [(both / f"shards-{rank}").read_text().split() for rank in range(2)]
    assert {name[:6] for name in shards[0]} == {"000000", "000002", "000004"}
    assert {name[:6] for name in shards[1]} == {"000001", "000003"}
    for kind in ("last", "best"):
        first, second = (torch.load(both / f"{kind}-{rank}.pt") for rank in range(2))
        assert first.keys() == second.keys()
        for name in first:
            assert torch.isfinite(first[name]).all() and first[name].equal(second[name]), name
    assert any(name.startswith("maps.") for name in torch.load(both / "last-0.pt"))
    one, two = report(alone), report(both)
    assert two["student"]["processes"] == 2 and one["student"]["processes"] == 1
    # The same recipe has the same keys, as far as no result that was trained is part of them by its content.
    assert [one["keys"][name] for name in ("data", "teacher")] == [two["keys"][name] for name in ("data", "teacher")]
    # The same rows in the same steps; dropout and the order of sums differ. Of 40 test rows, one is 0.025.
    for name in ("teacher", "student", "packed"):
        assert two[name]["test_accuracy"] == pytest.approx(one[name]["test_accuracy"], abs=0.101), name
    steps = [[entry["step"] for entry in found["student"]["epochs"]] for found in (one, two)]
    assert steps[0] == steps[1]
    assert not [path for path in both.rglob("*") if path.name.startswith(".tmp-") or path.suffix == ".work"]
    # The result of two is what one would go on with.
    code, _, errors = runs.run("both", 1)
    assert code == 0 and errors.count("done earlier") == 7


def test_a_failure_in_one_ends_all_with_its_message(runs: Runs) -> None:
    code, _, errors = runs.run("broken", 2, failing="raise")
    assert code != 0
    assert "error[T999]: made to fail" in errors
    out = runs.task.folder / "broken" / "out"
    assert not (out / "report.json").exists()
    assert (out / "stages" / "teacher").is_dir()


def test_a_killed_process_ends_the_others_and_the_build_resumes(runs: Runs) -> None:
    """In the folder of the build that failed, whose teacher is there if that test ran."""
    folder = runs.task.folder / "broken"
    for left in folder.glob("pid-*"):
        left.unlink()
    process = runs.start("broken", 2, failing="wait")
    end = time.monotonic() + 200
    while not (folder / "pid-1").is_file() or not (folder / "pid-1").read_text():
        assert process.poll() is None and time.monotonic() < end, process.communicate()[1]
        time.sleep(0.05)
    os.kill(int((folder / "pid-1").read_text()), signal.SIGKILL)
    _, errors = process.communicate(timeout=120)
    assert process.returncode != 0 and "SIGKILL" in errors
    code, _, errors = runs.run("broken", 2)
    assert code == 0, errors
    assert "teacher: done earlier" in errors


def test_a_batch_that_cannot_be_shared_is_refused(runs: Runs) -> None:
    code, _, errors = runs.run("odd", 2, "teacher.batch_size=33", failing="early")
    assert code != 0 and "error[R020]" in errors and "teacher.batch_size = 33" in errors
