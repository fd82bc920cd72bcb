"""Turns, their order and their figures."""

from __future__ import annotations

from typing import Any

import pytest

from potstill.bench import rounds
from potstill.work.progress import QuietProgress


def run(turns: list[Any], wanted: int, seed: int = 0, budget: float = 60.0) -> list[list[int]]:
    times: list[list[int]] = [[] for _ in turns]
    with QuietProgress().task("x") as task:
        rounds.interleave(turns, times, rounds=wanted, budget=budget, seed=seed, task=task)
    return times


def test_each_round_has_everybody_in_another_order() -> None:
    def orders(seed: int) -> list[str]:
        log: list[str] = []
        turns = [lambda name=name: log.append(name) or [1] for name in "ABCD"]
        assert run(turns, 6, seed) == [[1] * 6] * 4
        return ["".join(log[start : start + 4]) for start in range(0, 24, 4)]

    found = orders(1)
    assert all(sorted(order) == list("ABCD") for order in found)
    assert len(set(found)) > 2
    assert orders(1) == found
    assert orders(2) != found


def test_the_budget_ends_the_rounds() -> None:
    assert run([lambda: [5, 6]], 50, budget=0.0) == [[5, 6] * rounds.LEAST_ROUNDS]


def test_an_interrupt_keeps_what_was_measured() -> None:
    times: list[list[int]] = [[]]

    def turn() -> list[int]:
        if len(times[0]) == 2:
            raise KeyboardInterrupt
        return [7]

    with pytest.raises(KeyboardInterrupt), QuietProgress().task("x") as task:
        rounds.interleave([turn], times, rounds=9, budget=9.0, seed=0, task=task)
    assert times == [[7, 7]]


def test_timed_counts_whole_passes() -> None:
    calls: list[str] = []
    taken = rounds.timed([lambda: calls.append("a"), lambda: calls.append("b")], 3)
    assert calls == ["a", "b"] * 3
    assert len(taken) == 3
    assert all(value > 0 for value in taken)


def test_settle_waits_until_the_process_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    # CPU time at the four readings: busy during the first pause, quiet during the second.
    used = iter([0, 2_000_000, 2_000_000, 2_000_000])
    naps: list[float] = []
    clock = iter(range(0, 10**12, 2_000_000))
    monkeypatch.setattr(rounds.time, "process_time_ns", lambda: next(used))
    monkeypatch.setattr(rounds.time, "perf_counter_ns", lambda: next(clock))
    monkeypatch.setattr(rounds.time, "sleep", naps.append)
    rounds.settle()
    assert len(naps) == 2


def test_spread() -> None:
    figures = rounds.spread([4_000_000, 2_000_000, 6_000_000, 8_000_000, 10_000_000], sentences=2)
    assert figures["median_ms"] == 3.0
    assert figures["min_ms"] == 1.0
    assert figures["p10_ms"] == pytest.approx(1.4)
    assert figures["p90_ms"] == pytest.approx(4.6)
    assert figures["runs"] == 5
    assert rounds.spread([3_000_000])["p90_ms"] == 3.0


def test_sentence_stays_in_the_vocabulary() -> None:
    assert rounds.sentence(500, 3) == rounds.sentence(500, 3)
    assert set(rounds.sentence(500, 3)) == {1, 2}
    assert max(rounds.sentence(500, 30_000)) > 20_000
    assert rounds.sentence(4, 1) == [0] * 4
