"""The benchmark: fair turns, honest rows, clear refusals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import tiny
from heard import Heard
from potstill.bench import measure as bench
from potstill.bench import memory
from potstill.bench.engine import Peer
from potstill.bench.measure import bench_still, format_rows, measure
from potstill.bench.rounds import LEAST_ROUNDS
from potstill.compare.host import bench_host
from potstill.compare.peers import PEERS
from potstill.errors import InputError, SystemFailure, missing_package
from potstill.work.progress import QuietProgress


class FakeRunner:
    """Writes down each call."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self.log = name, log

    def prepare(self, batch: Sequence[Sequence[int]]) -> Callable[[], object]:
        assert all(0 < value < 50 for ids in batch for value in ids)
        return lambda: self.log.append(f"{self.name}{len(batch[0])}")

    def padded(self, tokens: int) -> int:
        return max(tokens, 8)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    calls: list[str] = []

    def open_fake(self: Peer, path: Path, threads: int) -> FakeRunner:
        if self.engine == "C":
            raise missing_package("c-engine", "bench", "C")
        return FakeRunner(self.engine, calls)

    monkeypatch.setattr(Peer, "open", open_fake)
    return calls


def peer(engine: str) -> tuple[Peer, Path]:
    return Peer(engine, "fp32", "onnx", "onnxruntime"), Path("x")


def test_contenders_take_turns(log: list[str]) -> None:
    rows = measure([peer("A"), peer("B")], lengths=[4], threads=[1], vocabulary=50, rounds=2, progress=QuietProgress())
    turn = bench.CALLS_A_TURN + 1
    assert log[:2] == ["A4", "B4"]
    # Two rounds; in each, both have a whole turn, in either order.
    for start in (2, 2 + 2 * turn):
        assert log[start : start + 2 * turn] in (["A4"] * turn + ["B4"] * turn, ["B4"] * turn + ["A4"] * turn)
    assert len(log) == 2 + 4 * turn
    assert [(row["engine"], row["tokens"], row["padded_to"], row["threads"]) for row in rows] == [
        ("A", 4, 8, 1),
        ("B", 4, 8, 1),
    ]
    for row in rows:
        assert row["runs"] == 2 * bench.CALLS_A_TURN
        assert 0 < row["min_ms"] <= row["p10_ms"] <= row["median_ms"] <= row["p90_ms"]


def test_an_engine_that_is_missing_is_named(log: list[str]) -> None:
    heard = Heard()
    rows = measure([peer("A"), peer("C")], lengths=[4], threads=[1], vocabulary=50, rounds=1, progress=heard)
    assert [row["engine"] for row in rows] == ["A"]
    assert len(heard.messages) == 1
    assert heard.messages[0].startswith("C fp32 is not measured: error[S010]")
    with pytest.raises(SystemFailure, match="S063"):
        measure([peer("C")], lengths=[4], threads=[1], vocabulary=50, rounds=1, progress=heard)


def test_the_time_budget_ends_the_rounds(log: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "_BUDGET_SECONDS", 0.0)
    rows = measure([peer("A")], lengths=[4], threads=[1], vocabulary=50, rounds=1000, progress=QuietProgress())
    assert rows[0]["runs"] == LEAST_ROUNDS * bench.CALLS_A_TURN


def test_every_engine_is_measured(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "CALLS_A_TURN", 1)
    found = bench_host(
        tiny.model(base, "mean"),
        tiny.build(base),
        max_tokens=tiny.MAX_TOKENS,
        lengths=(8, 64),
        threads=(1,),
        rounds=1,
        memory=False,
        progress=QuietProgress(),
    )
    assert found["memory"] == []
    assert {(row["engine"], row["precision"]) for row in found["bench"]} == {(p.engine, p.precision) for p in PEERS}
    # 64 is cut to what the model takes.
    assert {row["tokens"] for row in found["bench"]} == {8, 24}
    padded = {(row["engine"], row["tokens"]): row["padded_to"] for row in found["bench"]}
    assert padded["LiteRT", 8] == 8
    assert padded["LiteRT, padded", 8] == 24
    assert padded["Potstill", 8] == 8


def test_memory_of_every_engine_but_the_padded_one(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int, int]] = []

    def measured(peer: Peer, path: Path, *, tokens: int, vocabulary: int) -> dict[str, Any]:
        asked.append((peer.name, tokens, vocabulary))
        return {"engine": peer.engine}

    monkeypatch.setattr(memory, "measure_memory", measured)
    monkeypatch.setattr(bench, "_BUDGET_SECONDS", 0.0)
    files = {name: tiny.build(base)[name] for name in ("still", "onnx")}
    found = bench_host(None, files, max_tokens=tiny.MAX_TOKENS, lengths=(8,), threads=(1,), progress=QuietProgress())
    assert [name for name, _, _ in asked] == ["onnxruntime fp32", "Potstill int8"]
    assert {tokens for _, tokens, _ in asked} == {tiny.MAX_TOKENS} and asked[0][2] == asked[1][2] > 4
    assert found["memory"] == [{"engine": "onnxruntime"}, {"engine": "Potstill"}]


def test_bench_still(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "_BUDGET_SECONDS", 0.0)
    files = tiny.build(base)
    rows = bench_still(files["still_fp32"], lengths=(8, 4), threads=(1,), progress=QuietProgress())
    assert [(row["engine"], row["precision"], row["tokens"]) for row in rows] == [
        ("Potstill", "fp32", 4),
        ("Potstill", "fp32", 8),
    ]
    with pytest.raises(InputError, match="I060"):
        bench_still(files["still"], lengths=(8, 500), progress=QuietProgress())


def test_format_rows() -> None:
    row: dict[str, Any] = {"engine": "LiteRT", "precision": "int8", "tokens": 9, "padded_to": 64, "threads": 2}
    row |= {"median_ms": 1.23456, "min_ms": 1, "p10_ms": 1.1, "p90_ms": 12.5, "runs": 75}
    lines = format_rows([row, {**row, "engine": "Potstill", "padded_to": 9}]).splitlines()
    assert lines[0].split() == ["engine", "precision", "tokens", "threads", "median", "ms", "p10", "p90", "runs"]
    assert lines[1].split() == ["LiteRT", "int8", "9", "(as", "64)", "2", "1.235", "1.100", "12.500", "75"]
    assert lines[2].split() == ["Potstill", "int8", "9", "2", "1.235", "1.100", "12.500", "75"]
    assert len({len(line) for line in lines}) == 1


def test_pytorch_gets_its_threads_back() -> None:
    """A build of several recipes trains after it has measured: results must not depend on that."""
    torch = pytest.importorskip("torch")
    from potstill.compare.peers.pytorch import threads_kept

    before = torch.get_num_threads()
    with pytest.raises(KeyboardInterrupt), threads_kept():
        torch.set_num_threads(before + 1)
        raise KeyboardInterrupt
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(("limit", "lengths"), [(512, [16, 64]), (64, [16, 64]), (32, [16, 32]), (8, [8])])
def test_lengths_that_nobody_asked_for_are_those_the_model_takes(limit: int, lengths: list[int]) -> None:
    assert bench.fitting_lengths(None, limit) == lengths


def test_lengths_that_were_asked_for_are_measured_or_refused() -> None:
    assert bench.fitting_lengths([9, 3, 9], 9) == [3, 9]
    with pytest.raises(InputError, match="10 tokens, the model takes 9"):
        bench.fitting_lengths([3, 10], 9)
