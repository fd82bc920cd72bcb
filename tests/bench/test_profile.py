"""The profile: its sums add up, its trace opens in a viewer, its refusals are clear."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

import tiny
from potstill.bench import profile
from potstill.bench.profile import format_profile, profile_still
from potstill.cli import main
from potstill.compile import compile_onnx
from potstill.errors import InputError, SystemFailure

KINDS = {"Embedding", "LayerNorm", "Linear", "Attention", "Pool"}


@pytest.fixture(scope="module")
def still(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two layers, int8."""
    out = tmp_path_factory.mktemp("still") / "model.still"
    compile_onnx(tiny.onnx_file(base, "mean"), out, scheme="int8", max_tokens=tiny.MAX_TOKENS)
    return out


@pytest.fixture(scope="module")
def profiled(still: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    trace = tmp_path_factory.mktemp("profile") / "trace.json"
    rows = profile_still(still, lengths=(8, 24), threads=(1, 2), runs=7, trace=trace)
    return rows, json.loads(trace.read_text())


def test_rows_and_sums(profiled: tuple[list[dict[str, Any]], dict[str, Any]]) -> None:
    rows, _ = profiled
    assert [(row["threads"], row["tokens"]) for row in rows] == [(1, 8), (1, 24), (2, 8), (2, 24)]
    for row in rows:
        assert row["runs"] == 7
        assert 1 <= row["threads_used"] <= row["threads"]
        assert row["peak"]["int8_gmacs"] > 0
        assert row["peak"]["f32_gmacs"] > 0
        assert {op["kind"] for op in row["ops"]} == KINDS
        assert sum(op["share"] for op in row["ops"]) == pytest.approx(1)
        for key in ("ms", "share", "busy_ms", "macs", "bytes"):
            assert sum(layer[key] for layer in row["layers"]) == pytest.approx(sum(op[key] for op in row["ops"]))
        assert [layer["layer"] for layer in row["layers"]] == ["input", "layer 0", "layer 1", "output"]
        for op in row["ops"]:
            assert (op["peak_share"] is None) == (op["macs"] == 0)


def test_work_is_what_the_model_has_to_do(profiled: tuple[list[dict[str, Any]], dict[str, Any]]) -> None:
    rows, _ = profiled
    width, inner = tiny.SIZES["hidden_size"], tiny.SIZES["intermediate_size"]
    for row in rows:
        tokens = row["tokens"]
        layer = {"Linear": 0, "Attention": 0}
        for op in row["ops"]:
            if op["layer"] == "layer 0" and op["macs"]:
                layer[op["kind"]] += op["macs"]
                assert op["integer"] == (op["kind"] == "Linear")
        assert layer["Linear"] == tokens * (4 * width * width + 2 * width * inner)
        assert layer["Attention"] == 2 * tokens * tokens * width


def test_trace(profiled: tuple[list[dict[str, Any]], dict[str, Any]]) -> None:
    rows, trace = profiled
    events = trace["traceEvents"]
    names = {event["args"]["name"] for event in events if event["ph"] == "M" and event["name"] == "process_name"}
    assert len(names) == len({(row["tokens"], row["threads_used"]) for row in rows})
    tracks: dict[tuple[int, int], list[dict[str, Any]]] = defaultdict(list)
    for event in events:
        assert event["ph"] in "MX"
        if event["ph"] == "X":
            assert event["ts"] >= 0
            assert event["dur"] >= 0
            tracks[event["pid"], event["tid"]].append(event)
    assert {pid for pid, _ in tracks} == {1, 2, 3, 4}
    for pid, row in enumerate(rows, 1):
        caller = tracks[pid, 0]
        ops = [event["name"] for event in caller if event["cat"] in KINDS]
        assert ops == [op["name"] for op in row["ops"]] * min(7, profile._TRACE_RUNS)
        # Slices of a track are nested or apart, which is what a viewer needs.
        open_ends: list[float] = []
        for event in sorted(caller, key=lambda event: (event["ts"], -event["dur"])):
            while open_ends and event["ts"] >= open_ends[-1] - 1e-6:
                open_ends.pop()
            end = event["ts"] + event["dur"]
            assert all(end <= outer + 1e-6 for outer in open_ends)
            open_ends.append(end)
        assert {"quantize", "product"} <= {event["name"] for event in caller if event["cat"] == "phase"}


def test_layers_go_by_structure() -> None:
    layer = ["Linear", "Attention", "Linear", "LayerNorm"]
    assert profile._layers(["Embedding", "LayerNorm", *layer, *layer, "Pool", "Linear"]) == (
        ["input"] * 2 + ["layer 0"] * 4 + ["layer 1"] * 4 + ["output"] * 2
    )
    assert profile._layers(["Embedding", "Linear"]) == ["input", "input"]
    assert profile._layers(["Attention"]) == ["layer 0"]


def test_format_profile(profiled: tuple[list[dict[str, Any]], dict[str, Any]]) -> None:
    text = format_profile(profiled[0][:1])
    assert "8 tokens, 1 of 1 threads" in text
    assert "peak of one core: int8 " in text
    lines = text.splitlines()
    assert sum(line.split()[:2] == ["layer", "1"] for line in lines) == 7 + 1  # its ops and its sum
    assert len({len(line) for line in lines if line.rstrip().endswith("%") or line.rstrip().endswith("-")}) == 2


def test_refusals(still: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="I060"):
        profile_still(still, lengths=(500,))
    with pytest.raises(InputError, match="I021"):
        profile_still(still, lengths=(8,), runs=0)
    with pytest.raises(SystemFailure, match="S003"):
        profile_still(still, lengths=(8,), runs=1, trace=tmp_path / "nowhere" / "t.json")
    assert main(["bench", str(still), "--trace", str(tmp_path / "t.json")]) == 2
    assert main(["bench", str(still), "--profile", "--peers"]) == 2
    assert "error[I067]" in capsys.readouterr().err


def test_command(still: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = tmp_path / "t.json"
    assert main(["bench", str(still), "--profile", "--lengths", "8", "--json", "--trace", str(trace)]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows[0]["tokens"] == 8
    assert json.loads(trace.read_text())["traceEvents"]
