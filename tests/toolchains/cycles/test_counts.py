"""Kernel counts: what fails against the baseline, how callgrind's dumps are read, what an update keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from potstill.errors import PotstillError
from toolchains.cycles import counts, sets


def test_only_over_five_percent_more_fails() -> None:
    """1050 for 1000 passes, 1051 does not; what became cheaper is told apart."""
    baseline = {"neon": {"a": 1000, "b": 1000, "c": 1000}, "avx2": {"a": 500}}
    assert counts.compare(baseline, {"neon": {"a": 1050, "b": 950, "c": 1000}}) == ([], [])
    worse, better = counts.compare(baseline, {"neon": {"a": 1051, "b": 949, "c": 1000}})
    assert worse == ["neon a: 1000 -> 1051 (+5.1%)"]
    assert better == ["neon b: 1000 -> 949 (-5.1%)"]


def test_cases_must_match() -> None:
    """A case without a baseline, and one that is no longer counted, both fail; an uncounted set does not."""
    worse, _ = counts.compare({"neon": {"old": 1}, "avx2": {"a": 1}}, {"neon": {"new": 1}})
    assert worse == ["neon old: no longer counted", "neon new: 1, not in the baseline"]


def _dump(folder: Path, number: int, trigger: str, total: int) -> None:
    text = f"version: 1\ncmd: x\ndesc: Trigger: {trigger}\nevents: Ir\nfn=(1) main\n10 5\n\ntotals: {total}\n"
    (folder / f"callgrind.out.{number}").write_text(text, encoding="utf-8")


def test_dumps_are_read_by_their_label(tmp_path: Path) -> None:
    """The file's number is callgrind's own; the label says which window it is."""
    _dump(tmp_path, 1, "Client Request: 2", 77)
    _dump(tmp_path, 2, "Client Request: 1", 55)
    _dump(tmp_path, 3, "Program termination", 999)
    assert counts.read_dumps(tmp_path, "1\tgemm\n2\tpool\n") == {"gemm": 55, "pool": 77}
    with pytest.raises(PotstillError, match=r"error\[B021\].*norm"):
        counts.read_dumps(tmp_path, "1\tgemm\n2\tpool\n3\tnorm\n")


@pytest.fixture
def baseline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A baseline of two sets in place of the project's."""
    path = tmp_path / "kernel_counts.json"
    content = {
        "compilers": {"aarch64": "12.2.0", "x86_64": "12.2.0"},
        "instructions": {"neon": {"a": 1000}, "avx2": {"a": 500}},
    }
    path.write_text(json.dumps(content), encoding="utf-8")
    monkeypatch.setattr(counts, "BASELINE", path)
    monkeypatch.setattr(counts, "PROJECT", tmp_path)
    return path


def _measure(monkeypatch: pytest.MonkeyPatch, count: int, version: str = "12.2.0") -> None:
    found: dict[str, Any] = {"compilers": {"aarch64": version}, "instructions": {"neon": {"a": count}}}
    monkeypatch.setattr(counts, "measure", lambda _: found)


def test_a_regression_ends_the_session(baseline: Path, session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """B023 with the kernel and both counts; another compiler is named as a possible reason."""
    _measure(monkeypatch, 1040)
    counts.check(session, update=False)
    _measure(monkeypatch, 1100, "14.1.0")
    with pytest.raises(PotstillError, match=r"(?s)error\[B023\].*neon a: 1000 -> 1100 \(\+10\.0%\).*another g\+\+"):
        counts.check(session, update=False)
    assert json.loads(baseline.read_text())["instructions"]["neon"] == {"a": 1000}


def test_update_keeps_what_was_not_counted(baseline: Path, session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without AVX2 rewrites only the Arm sets."""
    _measure(monkeypatch, 1100)
    counts.check(session, update=True)
    assert json.loads(baseline.read_text())["instructions"] == {"neon": {"a": 1100}, "avx2": {"a": 500}}


def test_the_stored_baseline_is_whole() -> None:
    stored = json.loads(counts.BASELINE.read_text(encoding="utf-8"))["instructions"]
    assert set(stored) == {*sets.arm_sets(), *sets.x86_sets()}
    names = {frozenset(cases) for cases in stored.values()}
    assert len(names) == 1
    assert min(count for cases in stored.values() for count in cases.values()) > 0
