"""The benchmark: fair turns, honest rows, clear refusals."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tiny
from heard import Heard
from potstill.bench import measure as bench
from potstill.bench import race
from potstill.bench.engine import Peer
from potstill.bench.measure import bench_still, format_rows
from potstill.bench.memory import peak_rss_bytes
from potstill.bench.race import Contender, Race, all_measured, made_up
from potstill.bench.rounds import LEAST_ROUNDS
from potstill.compare import host
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

        def call() -> object:
            self.log.append(f"{self.name}{len(batch[0])}")
            return array("f", [0.0])

        return call

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
    monkeypatch.setattr(Peer, "version", lambda self: "fake 1")
    monkeypatch.setattr(race, "_MOST_PASSES", CALLS)
    return calls


# Counted calls of a turn.
CALLS = 3


def measure(engines: str, rounds: int, budget: float = 60.0) -> tuple[list[Contender], list[dict[str, Any]]]:
    everyone = [Contender(Peer(engine, "fp32", "onnx", "onnxruntime"), Path("x")) for engine in engines]
    rows: list[dict[str, Any]] = []
    Race((1,), rounds, budget).run(everyone, made_up((4,), 50), rows, QuietProgress())
    return everyone, rows


def test_contenders_take_turns(log: list[str]) -> None:
    _, rows = measure("AB", rounds=2)
    turn = CALLS + 1
    # Warmed first: a call for the logits, one to see how long it takes.
    assert log[:4] == ["A4", "A4", "B4", "B4"]
    # Two rounds; in each, both have a whole turn, in either order.
    for start in (4, 4 + 2 * turn):
        assert log[start : start + 2 * turn] in (["A4"] * turn + ["B4"] * turn, ["B4"] * turn + ["A4"] * turn)
    assert len(log) == 4 + 4 * turn
    assert [(row["engine"], row["tokens"], row["padded_to"], row["threads"]) for row in rows] == [
        ("A", 4, 8, 1),
        ("B", 4, 8, 1),
    ]
    for row in rows:
        assert row["runs"] == 2 * CALLS
        assert 0 < row["min_ms"] <= row["p10_ms"] <= row["median_ms"] <= row["p90_ms"]


def test_an_engine_that_is_missing_is_named(log: list[str]) -> None:
    heard = Heard()
    everyone, rows = measure("AC", rounds=1)
    assert [row["engine"] for row in rows] == ["A"]
    all_measured(everyone, heard)
    assert len(heard.messages) == 1
    assert heard.messages[0].startswith("C fp32 is not measured: error[S010]")
    with pytest.raises(SystemFailure, match="S063"):
        all_measured(measure("C", rounds=1)[0], heard)


def test_the_time_budget_ends_the_rounds(log: list[str]) -> None:
    _, rows = measure("A", rounds=1000, budget=0.0)
    assert rows[0]["runs"] == LEAST_ROUNDS * CALLS


def test_every_engine_is_measured(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(race, "_MOST_PASSES", 1)
    found = bench_host(
        tiny.model(base, "mean"),
        tiny.build(base),
        max_tokens=tiny.MAX_TOKENS,
        scheme="int8",
        lengths=(8, 64),
        threads=(1,),
        rounds=1,
        apart=False,
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


def test_engines_apart_have_their_own_memory(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each in a process of its own; one whose process fails is named, the padded one's memory is that of the other."""
    monkeypatch.setattr(host, "BUDGET_SECONDS", 0.0)
    # This process holds PyTorch and 200 MB more; a child that inherited the mark would show at least that.
    held = np.ones(25_000_000)
    heard = Heard()
    files = {name: tiny.build(base)[name] for name in ("still", "onnx", "tflite_int8")}
    found = bench_host(
        tmp_path / "absent", files, max_tokens=tiny.MAX_TOKENS, scheme="int8", lengths=(8, 64), threads=(1,), rounds=1,
        progress=heard,
    )  # fmt: skip
    assert peak_rss_bytes() > 200_000_000 + held.itemsize
    memory = {(row["engine"], row["precision"]): row for row in found["memory"]}
    assert list(memory) == [("onnxruntime", "fp32"), ("LiteRT", "int8"), ("Potstill", "int8")]
    assert {row["tokens"] for row in memory.values()} == {tiny.MAX_TOKENS}
    # Python itself takes about 10 MB, our core and the tiny model a few more; numpy alone would add 20.
    assert 5_000_000 < memory["Potstill", "int8"]["peak_rss_bytes"] < 40_000_000
    assert 30_000_000 < memory["onnxruntime", "fp32"]["peak_rss_bytes"] < 400_000_000
    assert all(0 < row["load_ms"] < 60_000 for row in memory.values())
    assert {row["engine"] for row in found["bench"]} == {"onnxruntime", "LiteRT", "LiteRT, padded", "Potstill"}
    assert next(text for text in heard.messages if "not measured" in text).startswith("PyTorch fp32 is not measured: ")


def test_bench_still(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "BUDGET_SECONDS", 0.0)
    files = tiny.build(base)
    rows = bench_still(files["still_fp32"], (8, 4), (1,), QuietProgress())
    assert [(row["engine"], row["precision"], row["tokens"]) for row in rows] == [
        ("Potstill", "fp32", 4),
        ("Potstill", "fp32", 8),
    ]
    with pytest.raises(InputError, match="I060"):
        bench_still(files["still"], (8, 500), (1,), QuietProgress())


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
