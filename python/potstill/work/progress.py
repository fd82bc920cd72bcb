"""Progress: bars in a terminal, a plain line every few seconds elsewhere (CI logs), or nothing.

Work functions take a `Progress` and know nothing of how it is shown:

    progress.message("teacher: fine-tuning 4 epochs")
    with progress.task("teacher", total=steps, unit="steps") as task:
        for step, loss in ...:
            task.advance(1, note=f"loss {loss:.3f}")        # or task.update(done, note=...)
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol, TextIO

# Seconds between two plain lines of one task: a log of a 15 minute build stays under 200 lines.
PLAIN_INTERVAL = 5.0


class Task(Protocol):
    """One running piece of work with a known or unknown total."""

    def advance(self, amount: float = 1, note: str = "") -> None:
        """Count `amount` more units as done; `note` is shown behind the figures."""

    def update(self, done: float, note: str = "", total: float | None = None) -> None:
        """Set the units done so far, and the total if it became known."""


class Progress(Protocol):
    """Where a build reports how far it is."""

    def message(self, text: str) -> None:
        """One line for the reader."""

    def task(self, label: str, total: float | None = None, unit: str = "steps") -> AbstractContextManager[Task]:
        """Start a task; leaving the block ends it."""


class _Count:
    """Shared by the shown tasks: what is done, and how long the rest takes at the pace so far."""

    def __init__(self, label: str, total: float | None, unit: str, clock: Callable[[], float]) -> None:
        self.label, self.total, self.unit, self.done, self.note = label, total, unit, 0.0, ""
        self._clock = clock
        self._start = clock()
        # A resumed run starts at its checkpoint's step: those units took no time here and say nothing of the pace.
        self._base: float | None = None

    def set(self, done: float, note: str, total: float | None) -> None:
        if self._base is None:
            self._base = 0.0 if done <= 1 else done - 1
        self.done = done
        self.note = note or self.note
        self.total = total if total is not None else self.total

    def seconds(self) -> float:
        return self._clock() - self._start

    def left(self) -> float | None:
        counted = self.done - (self._base or 0.0)
        if not self.total or counted <= 0:
            return None
        return max(0.0, self.seconds() / counted * (self.total - self.done))

    def line(self) -> str:
        text = f"{self.label}: {self.done:,.0f}"
        if self.total:
            text += f"/{self.total:,.0f} {self.unit} ({100 * self.done / self.total:.0f} %)"
        else:
            text += f" {self.unit}"
        text += f", {duration(self.seconds())}"
        left = self.left()
        if left is not None and self.total and self.done < self.total:
            text += f", about {duration(left)} left"
        return f"{text}, {self.note}" if self.note else text


class PlainProgress:
    """A line when a task starts, every `interval` seconds while it moves, and when it ends."""

    def __init__(
        self,
        stream: TextIO | None = None,
        interval: float = PLAIN_INTERVAL,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._interval = interval
        self._clock = clock
        self._lock = threading.Lock()

    def message(self, text: str) -> None:
        with self._lock:
            print(text, file=self._stream, flush=True)

    @contextlib.contextmanager
    def task(self, label: str, total: float | None = None, unit: str = "steps") -> Iterator[Task]:
        task = _PlainTask(self, _Count(label, total, unit, self._clock), self._interval, self._clock)
        yield task
        task.close()


class _PlainTask:
    def __init__(self, owner: PlainProgress, count: _Count, interval: float, clock: Callable[[], float]) -> None:
        self._owner, self._count, self._interval, self._clock = owner, count, interval, clock
        self._shown_at = clock()
        self._shown = ""

    def advance(self, amount: float = 1, note: str = "") -> None:
        self.update(self._count.done + amount, note)

    def update(self, done: float, note: str = "", total: float | None = None) -> None:
        self._count.set(done, note, total)
        if self._clock() - self._shown_at >= self._interval:
            self._show()

    def close(self) -> None:
        if self._count.done:
            self._show()

    def _show(self) -> None:
        self._shown_at = self._clock()
        line = f"  {self._count.line()}"
        if line != self._shown:
            self._shown = line
            self._owner.message(line)


class RichProgress:
    """Bars drawn by rich, for a terminal."""

    def __init__(self, stream: TextIO | None = None) -> None:
        from rich.console import Console

        self._console = Console(file=stream if stream is not None else sys.stderr, highlight=False)
        self._bars: Any = None
        self._open = 0

    def message(self, text: str) -> None:
        self._console.print(text, markup=False)

    @contextlib.contextmanager
    def task(self, label: str, total: float | None = None, unit: str = "steps") -> Iterator[Task]:
        from rich import progress as bars

        if self._bars is None:
            self._bars = bars.Progress(
                bars.TextColumn("  {task.description}"),
                bars.BarColumn(),
                bars.TextColumn("{task.fields[figures]}", markup=False),
                console=self._console,
                transient=True,
            )
        count = _Count(label, total, unit, time.monotonic)
        if self._open == 0:
            self._bars.start()
        self._open += 1
        identity = self._bars.add_task(label, total=total, figures="")
        try:
            yield _RichTask(self._bars, identity, count)
        finally:
            self._bars.remove_task(identity)
            self._open -= 1
            if self._open == 0:
                self._bars.stop()
        if count.done:
            self.message(f"  {count.line()}")


class _RichTask:
    def __init__(self, bars: Any, identity: Any, count: _Count) -> None:
        self._bars, self._identity, self._count = bars, identity, count

    def advance(self, amount: float = 1, note: str = "") -> None:
        self.update(self._count.done + amount, note)

    def update(self, done: float, note: str = "", total: float | None = None) -> None:
        self._count.set(done, note, total)
        figures = self._count.line().partition(": ")[2]
        self._bars.update(self._identity, completed=done, total=self._count.total, figures=figures)


class QuietProgress:
    """Shows nothing."""

    def message(self, text: str) -> None:
        del text

    @contextlib.contextmanager
    def task(self, label: str, total: float | None = None, unit: str = "steps") -> Iterator[Task]:
        del label, total, unit
        yield _QuietTask()


class _QuietTask:
    def advance(self, amount: float = 1, note: str = "") -> None:
        del amount, note

    def update(self, done: float, note: str = "", total: float | None = None) -> None:
        del done, note, total


def make_progress(*, quiet: bool = False, stream: TextIO | None = None) -> Progress:
    """The fitting way to show progress on `stream` (default: standard error)."""
    if quiet:
        return QuietProgress()
    target = stream if stream is not None else sys.stderr
    if target.isatty():
        try:
            return RichProgress(target)
        except ImportError:
            # The base install has no rich; plain lines say the same.
            return PlainProgress(target)
    return PlainProgress(target)


def duration(seconds: float) -> str:
    """Seconds for a reader: `8.2 s`, `3 min 05 s`, `1 h 02 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
