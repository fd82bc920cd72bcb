"""Several Python threads at once, each with a model of its own on one thread: `potstill bench --workers 1,2`.

The core lets go of the GIL while it computes, so that sentences a second should grow with the workers up to the cores.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from potstill.bench import rounds
from potstill.bench.show import columns


def bench_workers(
    still: Path,
    ids: Sequence[Sequence[int]],
    workers: Sequence[int],
    *,
    wanted: int = 15,
    budget: float = 6.0,
    progress: Any,
) -> list[dict[str, Any]]:
    """Sentences a second of each number of workers, measured in turns.

    Args:
        still: the model; the file is mapped, so that workers share its weights.
        ids: sentences, one by one on each worker.
        workers: numbers of Python threads.
        wanted: rounds wanted.
        budget: seconds for all of them.
        progress: a `potstill.pipeline.progress.Progress`.

    Returns:
        Rows ``{workers, sentences_per_second, p10, p90, runs, scaling}``: sentences a second of all workers together,
        and the median over that of the smallest number of workers, per worker.

    Raises:
        FormatError, CpuError: as `potstill.load`.
    """
    from potstill.runtime.backends import open_backend

    counts = sorted(set(workers))
    batches = [[list(row)] for row in ids]
    models = [open_backend("native", still, 1, mapped=True) for _ in range(counts[-1])]
    for model in models:
        for batch in batches:
            model.run(batch)
    times: list[list[int]] = [[] for _ in counts]
    with progress.task("workers", total=wanted, unit="rounds") as task, ExitStack() as stack:
        crews = [stack.enter_context(_Crew(models[:count], batches)) for count in counts]
        rounds.interleave([crew.turn for crew in crews], times, rounds=wanted, budget=budget, seed=0, task=task)
    rows = []
    for count, taken in zip(counts, times, strict=True):
        figures = rounds.spread(taken, count * len(batches))
        rows.append(
            {
                "workers": count,
                "sentences_per_second": 1e3 / figures["median_ms"],
                "p10": 1e3 / figures["p90_ms"],
                "p90": 1e3 / figures["p10_ms"],
                "runs": figures["runs"],
            }
        )
    base = rows[0]["sentences_per_second"] / rows[0]["workers"]
    return [{**row, "scaling": row["sentences_per_second"] / row["workers"] / base} for row in rows]


class _Crew:
    """Threads that wait for a turn together: starting a thread is not part of what is measured."""

    def __init__(self, models: Sequence[Any], batches: Sequence[Any]) -> None:
        self._go, self._done = (threading.Barrier(len(models) + 1) for _ in range(2))
        self._ended = False
        self._error: Exception | None = None
        self._threads = [threading.Thread(target=self._work, args=(model, batches), daemon=True) for model in models]

    def __enter__(self) -> _Crew:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        for barrier in (self._go, self._done):
            barrier.abort()
        for thread in self._threads:
            thread.join()

    def turn(self) -> list[int]:
        """Nanoseconds from the start until the last worker has run all sentences."""
        try:
            self._go.wait()
            start = time.perf_counter_ns()
            self._done.wait()
            return [time.perf_counter_ns() - start]
        except threading.BrokenBarrierError:
            if self._error is not None:
                raise self._error from None
            raise

    def _work(self, model: Any, batches: Sequence[Any]) -> None:
        try:
            while not self._ended:
                self._go.wait()
                for batch in batches:
                    model.run(batch)
                self._done.wait()
        except threading.BrokenBarrierError:
            return
        except Exception as error:  # handed to the thread that waits for the turn
            self._error = error
            self._done.abort()


def format_workers(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as a plain table."""
    lines = [["workers", "sentences/s", "10 %", "90 %", "per worker"]]
    for row in rows:
        rates = [f"{row[key]:,.0f}" for key in ("sentences_per_second", "p10", "p90")]
        lines.append([str(row["workers"]), *rates, f"{100 * row['scaling']:.0f} %"])
    return "\n".join(columns(lines))
