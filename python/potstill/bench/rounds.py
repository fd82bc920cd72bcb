"""Taking turns: contenders are measured in rounds, in a shuffled order, so that a slow minute hits all of them."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from potstill.work.progress import Task

# Rounds a measurement has at least, whatever its time budget.
LEAST_ROUNDS = 4
# Thread pools of some engines spin for a while after a call; let them fall asleep before another engine's turn.
_PAUSE_SECONDS = 0.002
# A process that used less of one core than this while we slept is quiet; after the limit we go on regardless.
_QUIET_SHARE, _QUIET_LIMIT = 0.05, 0.2

Turn = Callable[[], Sequence[int]]


def interleave(
    turns: Sequence[Turn],
    times: Sequence[list[int]],
    *,
    rounds: int,
    budget: float,
    seed: int,
    task: Task,
) -> None:
    """Let every contender have one turn a round.

    Args:
        turns: a call for each contender that gives the nanoseconds of its counted runs.
        times: a list for each contender, extended as turns end: an interrupt loses nothing.
        rounds: rounds wanted.
        budget: seconds after which `LEAST_ROUNDS` are enough.
        seed: of the order, which is another one each round: no contender always follows the same neighbour.
        task: one unit a round.
    """
    generator = random.Random(seed)
    order = list(range(len(turns)))
    end = time.perf_counter() + budget
    for number in range(rounds):
        generator.shuffle(order)
        for index in order:
            times[index].extend(turns[index]())
        task.advance(1)
        if number + 1 >= LEAST_ROUNDS and time.perf_counter() > end:
            task.advance(rounds - number - 1)
            break


def timed(calls: Sequence[Callable[[], object]], repeats: int) -> list[int]:
    """Nanoseconds of each of `repeats` passes over all calls, by the monotonic clock."""
    taken = []
    for _ in range(repeats):
        start = time.perf_counter_ns()
        for call in calls:
            call()
        taken.append(time.perf_counter_ns() - start)
    return taken


def settle() -> None:
    """Sleep until this process's other threads are quiet, at most 0.2 s."""
    end = time.perf_counter() + _QUIET_LIMIT
    while True:
        used, began = time.process_time_ns(), time.perf_counter_ns()
        time.sleep(_PAUSE_SECONDS)
        slept = time.perf_counter_ns() - began
        if time.process_time_ns() - used <= _QUIET_SHARE * slept or time.perf_counter() > end:
            return


def spread(nanoseconds: Sequence[int], sentences: int = 1) -> dict[str, Any]:
    """Median, least, 10th and 90th percentile in ms a sentence, and the number of runs.

    Args:
        nanoseconds: of each run, at least one.
        sentences: in one run.
    """
    ordered = sorted(value / sentences for value in nanoseconds)
    tenths = statistics.quantiles(ordered, n=10, method="inclusive") if len(ordered) > 1 else [float(ordered[0])] * 9
    return {
        "median_ms": statistics.median(ordered) / 1e6,
        "min_ms": ordered[0] / 1e6,
        "p10_ms": tenths[0] / 1e6,
        "p90_ms": tenths[8] / 1e6,
        "runs": len(ordered),
    }


def sentence(tokens: int, vocabulary: int, seed: int = 0) -> list[int]:
    """Ids of a made-up sentence, from the whole vocabulary: rows of the word table are then as cold as with real text.

    The first row, which is padding in most vocabularies, is left out when there is another.
    """
    generator = random.Random(f"{seed} {tokens}")
    return [generator.randrange(min(1, vocabulary - 1), vocabulary) for _ in range(tokens)]
