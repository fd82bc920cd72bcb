"""Several Python threads at once."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import tiny

from potstill.bench.scaling import _Crew, bench_workers, format_workers
from potstill.pipeline.progress import QuietProgress


def test_rates_of_each_number_of_workers(base: Path) -> None:
    before = threading.active_count()
    rows = bench_workers(
        tiny.build(base)["still"], [[2, 5, 3], [2, 6, 7, 3]], (2, 1), wanted=4, budget=0.0, progress=QuietProgress()
    )
    assert [row["workers"] for row in rows] == [1, 2]
    assert rows[0]["scaling"] == 1.0
    for row in rows:
        assert 0 < row["p10"] <= row["sentences_per_second"] <= row["p90"]
        assert row["runs"] == 4
    assert threading.active_count() == before
    lines = format_workers(rows).splitlines()
    assert lines[0].split()[0] == "workers"
    assert lines[1].split()[-2:] == ["100", "%"]


def test_a_failing_worker_ends_the_turn() -> None:
    class Broken:
        def run(self, batch: Any) -> None:
            raise RuntimeError("no model")

    with _Crew([Broken(), Broken()], [[[1]]]) as crew, pytest.raises(RuntimeError, match="no model"):
        crew.turn()
