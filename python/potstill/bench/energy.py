"""Energy of one inference, by the meters a machine has: ``potstill bench M.still --energy``.

Load and idle take turns in blocks; every meter is read by a thread all the while, in both alike, so that what reading
costs cancels out. A block gives ``power under load x its time / its calls`` (in all), and the same with the power of
the idle block before it subtracted (above rest): what the inference adds. The interval given is Student's 95 % over the
blocks.

Meters: `potstill.bench.meters`.
"""

from __future__ import annotations

import itertools
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from potstill.bench.meters import NEEDED, Found, Meter, find_meters
from potstill.work.columns import columns

if TYPE_CHECKING:
    from potstill.work.progress import Progress

BLOCKS = 5
IDLE_SECONDS, LOAD_SECONDS = 1.5, 2.5
# A call of vcgencmd takes some 10 ms; the kernel's counters change every millisecond.
INTERVAL_SECONDS = 0.1
# Two-sided 95 % of Student's t for 1, 2, ... degrees of freedom.
_STUDENT = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26)

_COLUMNS = (
    ("tokens", "tokens"), ("threads", "threads"), ("ms", "ms"), ("W rest", "rest_watts"), ("W load", "load_watts"),
    ("mJ above rest", "mj_above_rest"), ("+-", "mj_uncertainty"), ("mJ in all", "mj_total"),
    ("+-", "mj_total_uncertainty"), ("calls", "calls"), ("samples", "samples"),
)  # fmt: skip


class Sampler:
    """Reads meters from a thread while its ``with`` lasts; the first and last reading are at its ends.

    A meter that fails on the way has no mean: `watts` gives None for it.
    """

    def __init__(
        self, meters: Sequence[Meter], interval: float = INTERVAL_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._meters, self._interval, self._clock = meters, interval, clock
        self._samples: list[list[tuple[float, float]]] = [[] for _ in meters]
        self._failed: set[int] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="potstill-energy", daemon=True)

    def _sample(self) -> None:
        for number, meter in enumerate(self._meters):
            try:
                value = meter.read()
            except (OSError, ValueError):
                self._failed.add(number)
            else:
                self._samples[number].append((self._clock(), value))

    def _work(self) -> None:
        while not self._stop.wait(self._interval):
            self._sample()

    def __enter__(self) -> Sampler:
        self._sample()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if kind is None:
            self._sample()

    def count(self, number: int) -> int:
        """Readings of one meter."""
        return len(self._samples[number])

    def watts(self, number: int) -> float | None:
        """Mean power of one meter over the block: of a counter, by its ends; else with the time each reading stood."""
        samples = self._samples[number]
        if number in self._failed or len(samples) < 2 or samples[-1][0] <= samples[0][0]:
            return None
        joules = 0.0
        for (before, first), (after, second) in itertools.pairwise(samples):
            if self._meters[number].counter:
                step = second - first
                joules += step + self._meters[number].wraps_at if step < 0 else step
            else:
                joules += (first + second) / 2 * (after - before)
        return joules / (samples[-1][0] - samples[0][0])


@dataclass(frozen=True)
class Block:
    """Idle, then load, by one meter."""

    idle_watts: float
    load_watts: float
    seconds: float
    calls: int


def summary(blocks: Sequence[Block]) -> dict[str, Any]:
    """Figures of one meter over its blocks, energies in millijoules an inference.

    Returns:
        ``{rest_watts, load_watts, ms, mj_total, mj_total_uncertainty, mj_above_rest, mj_uncertainty, calls, blocks}``;
        mj_uncertainty is that of mj_above_rest; both are None for a single block.
    """
    total = [b.load_watts * b.seconds / b.calls * 1e3 for b in blocks]
    net = [(b.load_watts - b.idle_watts) * b.seconds / b.calls * 1e3 for b in blocks]

    def interval(values: Sequence[float]) -> float | None:
        if len(values) < 2:
            return None
        student = _STUDENT[min(len(values) - 2, len(_STUDENT) - 1)]
        return student * statistics.stdev(values) / len(values) ** 0.5

    return {
        "rest_watts": statistics.fmean(b.idle_watts for b in blocks),
        "load_watts": statistics.fmean(b.load_watts for b in blocks),
        "ms": sum(b.seconds for b in blocks) / sum(b.calls for b in blocks) * 1e3,
        "mj_total": statistics.fmean(total),
        "mj_total_uncertainty": interval(total),
        "mj_above_rest": statistics.fmean(net),
        "mj_uncertainty": interval(net),
        "calls": sum(b.calls for b in blocks),
        "blocks": len(blocks),
    }


def measure(
    call: Callable[[], object],
    meters: Sequence[Meter],
    *,
    blocks: int = BLOCKS,
    idle: float = IDLE_SECONDS,
    load: float = LOAD_SECONDS,
    interval: float = INTERVAL_SECONDS,
) -> list[dict[str, Any]]:
    """Energy of one call by every meter.

    Args:
        call: the inference; called at least once a block.
        meters: at least one.
        idle, load: seconds of a block.
        interval: seconds between two readings.

    Returns:
        For each meter that could be read to the end: ``meter``, ``note`` (what it covers), ``samples`` and the
        figures of `summary`.
    """
    call()
    done: list[list[Block]] = [[] for _ in meters]
    samples = [0] * len(meters)
    for _ in range(blocks):
        with Sampler(meters, interval) as quiet:
            time.sleep(idle)
        calls = 0
        with Sampler(meters, interval) as busy:
            start = time.perf_counter()
            while calls == 0 or time.perf_counter() < start + load:
                call()
                calls += 1
            seconds = time.perf_counter() - start
        for number, taken in enumerate(done):
            before, during = quiet.watts(number), busy.watts(number)
            samples[number] += busy.count(number)
            if before is not None and during is not None:
                taken.append(Block(before, during, seconds, calls))
    return [
        {"meter": meter.name, "note": meter.covers, "samples": count, **summary(taken)}
        for meter, count, taken in zip(meters, samples, done, strict=True)
        if len(taken) == blocks
    ]


def bench_energy(
    path: Path,
    lengths: Iterable[int] | None,
    threads: Iterable[int],
    progress: Progress,
    found: Found | None = None,
    blocks: int = BLOCKS,
) -> dict[str, Any]:
    """Energy of one sentence of a `.still` file, batch 1.

    Args:
        lengths: tokens of the sentence; None for the usual ones, as far as the model takes them.

    Returns:
        ``{reason, notes, rows, interrupted}``: rows ``{tokens, threads, meter, ...}`` as `measure`; ``reason`` says why
        there are none, ``notes`` which meters are here but cannot be read. An interrupt keeps what is complete.

    Raises:
        InputError: a length over the model's limit.
        FormatError: the file is not a `.still`.
    """
    from potstill.bench.measure import fitting_lengths
    from potstill.bench.own import open_peer
    from potstill.bench.rounds import sentence
    from potstill.runtime.backends import open_backend

    info = open_backend("native", path, 1).info
    lengths = fitting_lengths(lengths, int(info["max_tokens"]))
    found = found if found is not None else find_meters()
    result: dict[str, Any] = {
        "reason": "" if found.meters else f"not measured: no meter. Needed is {NEEDED}",
        "notes": found.notes,
        "rows": [],
        "interrupted": False,
    }
    cases = [(count, tokens) for count in threads for tokens in lengths] if found.meters else []
    try:
        with progress.task("energy", total=len(cases), unit="cases") as task:
            for count, tokens in cases:
                call = open_peer(path, count).prepare([sentence(tokens, int(info["vocabulary"]))])
                rows = measure(call, found.meters, blocks=blocks)
                result["rows"] += [{"tokens": tokens, "threads": count, **row} for row in rows]
                task.advance(1)
    except KeyboardInterrupt:
        result["interrupted"] = True
    if found.meters and not result["rows"] and not result["interrupted"]:
        result["reason"] = "not measured: no meter could be read to the end"
    return result


def format_energy(result: dict[str, Any]) -> str:
    """The result as a table, what each meter covers below it; or why there is none."""
    lines: list[str] = [result["reason"]] if result["reason"] else []
    if rows := result["rows"]:
        cells = [["meter", *(head for head, _ in _COLUMNS)]]
        cells += [[str(row["meter"]), *(_figure(row[key]) for _, key in _COLUMNS)] for row in rows]
        lines += columns(cells)
        lines += ["", "above rest: over the power at rest, measured before each block; +-: 95 % over the blocks"]
        lines += [f"{name}: {note}" for name, note in {row["meter"]: row["note"] for row in rows}.items()]
    lines += [f"note: {note}" for note in result["notes"]]
    if result["interrupted"]:
        lines += ["interrupted: these are the cases that had ended by then"]
    return "\n".join(lines)


def _figure(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"
