"""Peak memory in fresh processes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tiny
from potstill.bench.engine import Peer
from potstill.bench.memory import measure_memory, peak_rss_bytes
from potstill.compare.peers import PEERS
from potstill.errors import SystemFailure


def peer(export: str) -> Peer:
    return next(entry for entry in PEERS if entry.export == export and not entry.option)


def test_own_engine_is_small_and_free_of_this_process(base: Path) -> None:
    # This process holds PyTorch and 200 MB more; a child that inherited the mark would show at least that.
    held = np.ones(25_000_000)
    row = measure_memory(peer("still"), tiny.build(base)["still"], tokens=8, vocabulary=tiny.VOCABULARY)
    assert peak_rss_bytes() > 200_000_000 + held.itemsize
    assert row["engine"] == "Potstill"
    assert row["precision"] == "int8"
    assert row["tokens"] == 8
    # Python itself takes about 10 MB, our core and the tiny model a few more; numpy alone would add 20.
    assert 5_000_000 < row["peak_rss_bytes"] < 40_000_000
    assert 0 < row["load_ms"] < 60_000


def test_onnxruntime_takes_more(base: Path) -> None:
    row = measure_memory(peer("onnx"), tiny.build(base)["onnx"], tokens=8, vocabulary=tiny.VOCABULARY)
    assert 30_000_000 < row["peak_rss_bytes"] < 400_000_000


def test_a_process_that_fails_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemFailure, match=r"S060.*onnxruntime fp32"):
        measure_memory(peer("onnx"), tmp_path / "absent.onnx", tokens=8, vocabulary=9)
