"""An engine in its own process: answers, refusals, deaths."""

from __future__ import annotations

import os
import signal
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

import tiny
from potstill.bench.engine import Peer
from potstill.compare.peers import PEERS
from potstill.compare.worker import Worker
from potstill.errors import SystemFailure

OURS = next(peer for peer in PEERS if peer.export == "still")


@pytest.fixture
def worker() -> Any:
    made = Worker(OURS, 1)
    yield made
    made.close()


def test_a_model_is_opened_and_timed(worker: Worker, base: Path) -> None:
    opened = worker.ask(60, do="open", peer=asdict(OURS), path=str(tiny.build(base)["still"]), threads=1)
    assert opened["version"].startswith("potstill ")
    assert opened["load_ms"] > 0
    batches = [[[2, 5, 3]], [[2, 6, 7, 3], [2, 8, 3]]]
    warm = worker.ask(60, do="warm", case="c", batches=batches, least=3)
    assert len(warm["logits"]) == 3
    assert len(warm["logits"][0]) == len(tiny.LABELS)
    assert warm["padded_to"] == 3
    # The worker holds Python, our core and the tiny model: no numpy, nothing of this test process.
    assert 5_000_000 < warm["peak_rss_bytes"] < 40_000_000
    taken = worker.ask(60, do="turn", case="c")["nanoseconds"]
    assert len(taken) >= 3
    assert all(value > 0 for value in taken)


def test_what_an_engine_raises_is_the_reason(worker: Worker, tmp_path: Path) -> None:
    with pytest.raises(SystemFailure, match=r"S062.*F001.*Potstill int8"):
        worker.ask(60, do="open", peer=asdict(OURS), path=str(tmp_path / "absent.still"), threads=1)
    with pytest.raises(SystemFailure, match=r"S062.*potstill\.compare\.peers\.absent is not in this wheel"):
        worker.ask(
            60, do="open", peer=asdict(Peer("X", "fp32", "x", "potstill.compare.peers.absent")), path="x", threads=1
        )


def test_a_worker_that_dies_is_told(worker: Worker) -> None:
    os.kill(worker._process.pid, signal.SIGILL)
    with pytest.raises(SystemFailure, match="ended by SIGILL"):
        worker.ask(60, do="turn", case="c")


def test_a_worker_that_hangs_is_ended(worker: Worker) -> None:
    os.kill(worker._process.pid, signal.SIGSTOP)
    with pytest.raises(SystemFailure, match="no answer within 0 s"):
        worker.ask(0.05, do="turn", case="c")
    assert worker._process.poll() == -signal.SIGKILL
