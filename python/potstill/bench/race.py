"""Engines that take turns: one way to time them, for a build, for `potstill bench`, alone or with peers.

All engines are loaded side by side for each thread count, in processes of their own or in this one. Each case is warmed
on all of them and then measured in rounds: a slow minute of the machine hits all of them. A turn is a few calls that do
not count (caches, clock, sleeping threads) and a few that do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from potstill.bench import rounds
from potstill.bench.engine import Peer, Runner
from potstill.errors import PotstillError, SystemFailure

if TYPE_CHECKING:
    from potstill.work.progress import Progress, Task

OPEN_LIMIT = 300.0
TURN_LIMIT = 120.0
# Passes of a turn fill about this many milliseconds: neither a blink nor a long time.
_TURN_MS = 10.0
_LEAST_PASSES, _MOST_PASSES = 3, 20
# Calls at the start of a turn that do not count.
_WARM_CALLS = 4


@dataclass(frozen=True)
class Case:
    """What one turn runs.

    Attributes:
        name: shown, and the key.
        batches: ids of each call's sentences.
        tokens: length of the sentences, None for real lengths.
        batch: sentences of a call.
    """

    name: str
    batches: list[list[list[int]]]
    tokens: int | None
    batch: int

    @property
    def sentences(self) -> int:
        """Sentences of one pass."""
        return sum(map(len, self.batches))


def made_up(lengths: Iterable[int], vocabulary: int) -> list[Case]:
    """A case of one made-up sentence for each length in tokens; `vocabulary` is the number of token ids."""
    return [Case(f"{length} tokens", [[rounds.sentence(length, vocabulary)]], length, 1) for length in lengths]


class Engine:
    """A loaded engine and its prepared cases. The clock is read here, around the calls alone."""

    def __init__(self) -> None:
        self.runner: Runner
        self.cases: dict[str, list[Callable[[], Any]]] = {}
        self.passes: dict[str, int] = {}

    def open(self, peer: dict[str, Any], path: str, threads: int) -> dict[str, Any]:
        """Load the model; milliseconds it took, and the engine's version."""
        engine = Peer(**peer)
        start = time.perf_counter()
        self.runner = engine.open(Path(path), threads)
        return {"load_ms": (time.perf_counter() - start) * 1e3, "version": engine.version()}

    def warm(self, case: str, batches: Sequence[Sequence[Sequence[int]]], least: int) -> dict[str, Any]:
        """Prepare a case and run it once, to make the first call's work and to show the logits."""
        calls = [self.runner.prepare(batch) for batch in batches]
        rows = [row for call in calls for row in memoryview(call()).tolist()]
        # The second pass shows how long one takes.
        taken = rounds.timed(calls, 1)[0] / 1e6
        self.cases[case] = calls
        self.passes[case] = max(least, min(_MOST_PASSES, round(_TURN_MS / max(taken, 1e-3))))
        rounds.settle()
        return {"logits": rows, "padded_to": self.runner.padded(len(batches[0][0]))}

    def turn(self, case: str) -> dict[str, Any]:
        """Nanoseconds of each counted pass."""
        calls = self.cases[case]
        rounds.timed(calls[:_WARM_CALLS], 1)
        taken = rounds.timed(calls, self.passes[case])
        rounds.settle()
        return {"nanoseconds": taken}


class Place(Protocol):
    """Where an engine runs."""

    def ask(self, limit: float, **job: Any) -> dict[str, Any]:
        """What the method `do` of `Engine` answers to the other arguments, within `limit` seconds.

        Raises:
            PotstillError: the engine refused; S062 where its process did.
        """

    def close(self) -> None:
        """Release it."""


class Here:
    """An engine in this process."""

    def __init__(self, peer: Peer, threads: int) -> None:
        del peer, threads
        self._engine = Engine()

    def ask(self, limit: float, **job: Any) -> dict[str, Any]:
        """See `Place`; there is no limit."""
        del limit
        answer: dict[str, Any] = getattr(self._engine, job.pop("do"))(**job)
        return answer

    def close(self) -> None:
        """Nothing to release."""


@dataclass
class Contender:
    """One line of the comparison while it is measured.

    Attributes:
        peer: the engine.
        path: the file it loads, once made.
        reason: why it is not measured, or no longer; empty while it is in the race.
        facts: what is known of it beside the times.
        logits: of each case's sentences, by the case's name.
        place: where it runs, while it does.
    """

    peer: Peer
    path: Path | None = None
    reason: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    logits: dict[str, list[list[float]]] = field(default_factory=dict)
    place: Place | None = None

    def ask(self, limit: float, when: str = "", **job: Any) -> dict[str, Any] | None:
        """The engine's answer to a request; None when it is out of the race, now or before.

        Args:
            limit: seconds.
            when: added to the reason of a failure.
            job: the request, a method of `Engine` and its arguments.
        """
        if self.place is None:
            return None
        try:
            return self.place.ask(limit, **job)
        except PotstillError as error:
            reason = error.what if error.code == "S062" else str(error)
            self.drop(f"{reason} ({when})" if when else reason)
            return None

    def drop(self, reason: str) -> None:
        """Put it out of the race."""
        self.reason = reason
        self.close()

    def close(self) -> None:
        """Leave its place."""
        if self.place is not None:
            self.place.close()
            self.place = None


@dataclass(frozen=True)
class Race:
    """How engines are measured.

    Attributes:
        threads: thread counts.
        rounds: rounds wanted of each case and thread count.
        budget: seconds after which a case has enough rounds.
        seed: of the order of turns.
        place: makes the place where an engine runs, given its threads.
        check: called when all have run a case once, before they are timed; it may drop some.
    """

    threads: Sequence[int]
    rounds: int
    budget: float
    seed: int = 0
    place: Callable[[Peer, int], Place] = Here
    check: Callable[[Sequence[Contender]], None] = lambda everyone: None

    def run(
        self, everyone: Sequence[Contender], todo: Sequence[Case], rows: list[dict[str, Any]], progress: Progress
    ) -> None:
        """Measure all contenders, the model itself last, on all cases; an interrupt keeps the rows so far.

        `rows` is extended by ``{engine, precision, case, tokens, batch, padded_to, threads, median_ms, min_ms, p10_ms,
        p90_ms, runs, sentences_per_second, ratio}``: milliseconds a sentence, `ratio` = median / the model's own.
        """
        for count in self.threads:
            try:
                self._open(everyone, count, progress)
                with progress.task(f"threads {count}", total=len(todo) * self.rounds, unit="rounds") as task:
                    for case in todo:
                        self._measure(everyone, case, count, rows, task)
            finally:
                for contender in everyone:
                    contender.close()

    def _open(self, everyone: Sequence[Contender], threads: int, progress: Progress) -> None:
        running = [contender for contender in everyone if not contender.reason]
        with progress.task(f"loading, threads {threads}", total=len(running), unit="engines") as task:
            for contender in running:
                peer = contender.peer
                contender.place = self.place(peer, threads)
                job: dict[str, Any] = {"peer": asdict(peer), "path": str(contender.path), "threads": threads}
                opened = contender.ask(OPEN_LIMIT, do="open", **job)
                if opened is not None and "version" not in contender.facts:
                    contender.facts |= opened
                task.advance(1, note=peer.name)

    def _measure(
        self, everyone: Sequence[Contender], case: Case, threads: int, rows: list[dict[str, Any]], task: Task
    ) -> None:
        """Warm all on one case, check their logits, take turns. An interrupt keeps the turns that had ended."""
        when = f"{case.name}, threads {threads}"
        least = 1 if case.sentences > 1 else _LEAST_PASSES
        for contender in everyone:
            answer = contender.ask(TURN_LIMIT, when, do="warm", case=case.name, batches=case.batches, least=least)
            if answer is not None:
                contender.logits.setdefault(case.name, answer.pop("logits"))
                contender.facts = {**answer, **contender.facts, "padded_to": answer["padded_to"]}
        self.check(everyone)
        racing = [contender for contender in everyone if contender.place is not None]

        def turn(contender: Contender) -> Sequence[int]:
            answer = contender.ask(TURN_LIMIT, when, do="turn", case=case.name)
            return answer["nanoseconds"] if answer is not None else ()

        times: list[list[int]] = [[] for _ in racing]
        turns = [partial(turn, contender) for contender in racing]
        try:
            rounds.interleave(turns, times, rounds=self.rounds, budget=self.budget, seed=self.seed, task=task)
        finally:
            rows += _rows(racing, times, case, threads)


def _rows(
    racing: Sequence[Contender], times: Sequence[Sequence[int]], case: Case, threads: int
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for contender, taken in zip(racing, times, strict=True):
        if taken:
            figures = rounds.spread(taken, case.sentences)
            rows.append(
                {
                    "engine": contender.peer.engine,
                    "precision": contender.peer.precision,
                    "case": case.name,
                    "tokens": case.tokens,
                    "batch": case.batch,
                    "padded_to": contender.facts["padded_to"] if case.tokens is not None else None,
                    "threads": threads,
                    **figures,
                    "sentences_per_second": 1e3 / figures["median_ms"],
                }
            )
    # The model itself is the last contender; interrupted before its first turn, or dead, it has no row.
    own = rows[-1]["median_ms"] if rows and times[-1] else None
    for row in rows:
        row["ratio"] = row["median_ms"] / own if own else None
    return rows


def all_measured(everyone: Sequence[Contender], progress: Progress) -> None:
    """Name those that are not measured, or not to the end.

    Raises:
        SystemFailure: not one could be loaded.
    """
    for contender in everyone:
        if contender.reason:
            progress.message(f"{contender.peer.name} is not measured: {contender.reason}")
    if all(contender.reason for contender in everyone):
        raise SystemFailure("S063", "no engine could be loaded", "bench", "pip install 'potstill[onnxruntime]'")
