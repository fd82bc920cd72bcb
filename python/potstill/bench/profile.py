"""Where the time of a forward goes: per op, per layer, as a table, as JSON and as a trace for a viewer."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from potstill.bench.measure import fitting_lengths
from potstill.bench.rounds import sentence
from potstill.errors import os_errors
from potstill.work.columns import columns

RUNS = 30
# Runs in a trace: enough to see what changes from one to the next, few enough for a viewer.
_TRACE_RUNS = 5
# How the core's peak was found, for readers of the table and the JSON.
PEAK_HOW = (
    "measured just before on one core: the active kernel set's own product with all operands in the first-level cache"
)


def profile_still(
    path: Path,
    lengths: Iterable[int] | None = None,
    threads: Iterable[int] = (1,),
    runs: int = RUNS,
    trace: Path | None = None,
) -> list[dict[str, Any]]:
    """Profile one made-up sentence of each length with each number of threads.

    Args:
        path: the `.still` file.
        lengths: tokens of the sentence, specials included; None for the usual ones, as far as the model takes them.
        threads: thread counts.
        runs: forwards measured, after two that are not.
        trace: also write a trace in Chrome's trace event format, for ui.perfetto.dev, to this file.

    Returns:
        A row for each length and thread count:

        * ``tokens``, ``threads`` (given), ``threads_used`` (fewer when the work is not worth them), ``runs``;
        * ``median_ms`` of a forward;
        * ``peak``: ``int8_gmacs`` and ``f32_gmacs``, 10^9 multiply-adds a second of one core, and ``how``;
        * ``ops`` in the order they run: ``name``, ``kind``, ``layer``, ``ms`` (wall, on the calling thread), ``share``
          of the sum of all ops, ``busy_ms`` (computing, summed over threads), ``macs``, ``bytes`` (weights and
          activations, each once), ``gmacs_per_s`` and ``gbytes_per_s`` (of wall time), ``peak_share`` (multiply-adds
          for each second of computing, over the core's peak; None for ops without matrix products);
        * ``layers``: the same sums for each layer, ops before the first one as "input", after the last as "output".

    Raises:
        InputError: a length over the model's limit; a bad thread count.
        FormatError: the file is not a `.still`.
        SystemFailure: the trace cannot be written.
    """
    from potstill import _core

    rows: list[dict[str, Any]] = []
    events: list[dict[str, Any]] = []
    for count in threads:
        model = _core.Model(str(path), count)
        limit, vocabulary = int(model.info()["max_tokens"]), int(model.info()["vocabulary"])
        for tokens in fitting_lengths(lengths, limit):
            raw = model.profile([sentence(tokens, vocabulary)], runs)
            row = _row(raw, tokens, count)
            rows.append(row)
            events += _events(raw, row, process=len(rows))
    if trace is not None:
        with os_errors(trace):
            trace.write_text(json.dumps({"traceEvents": events, "displayTimeUnit": "ns"}), encoding="utf-8")
    return rows


def format_profile(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as plain tables, ops and then layers."""
    blocks = []
    for row in rows:
        peak = row["peak"]
        blocks.append(
            f"{row['tokens']} tokens, {row['threads_used']} of {row['threads']} threads: "
            f"{row['median_ms']:.3f} ms (median of {row['runs']})\n"
            f"peak of one core: int8 {peak['int8_gmacs']:.1f}, f32 {peak['f32_gmacs']:.1f} GMAC/s, {peak['how']}"
        )
        blocks.append(_table("op", row["ops"], [f"{op['layer']} {op['name']} ({op['kind']})" for op in row["ops"]]))
        blocks.append(_table("layer", row["layers"], [layer["layer"] for layer in row["layers"]]))
    return "\n\n".join(blocks)


def _row(raw: Mapping[str, Any], tokens: int, threads: int) -> dict[str, Any]:
    peaks = {True: float(raw["peak_int8"]), False: float(raw["peak_f32"])}
    total = sum(op["wall_ns"] for op in raw["ops"]) or 1
    labels = _layers([op["kind"] for op in raw["ops"]])
    ops = []
    for op, layer in zip(raw["ops"], labels, strict=True):
        # Seconds at the core's peak: what turns different precisions into one share.
        ideal = op["macs"] / peaks[op["integer"]]
        ops.append({"name": op["name"], "kind": op["kind"], "layer": layer, "integer": op["integer"]}
                   | _figures(op["wall_ns"], op["busy_ns"], op["macs"], op["bytes"], ideal, total))  # fmt: skip
    layers = []
    for name in dict.fromkeys(labels):
        mine = [op for op, layer in zip(raw["ops"], labels, strict=True) if layer == name]
        wall, busy, macs, size = (sum(op[key] for op in mine) for key in ("wall_ns", "busy_ns", "macs", "bytes"))
        ideal = sum(op["macs"] / peaks[op["integer"]] for op in mine)
        layers.append({"layer": name, **_figures(wall, busy, macs, size, ideal, total)})
    taken = [end - begin for begin, end in zip(raw["run_begin_ns"], raw["run_end_ns"], strict=True)]
    return {
        "tokens": tokens,
        "threads": threads,
        "threads_used": raw["threads"],
        "runs": len(taken),
        "median_ms": statistics.median(taken) / 1e6,
        "peak": {"int8_gmacs": peaks[True] / 1e9, "f32_gmacs": peaks[False] / 1e9, "how": PEAK_HOW},
        "ops": ops,
        "layers": layers,
    }


def _figures(wall: int, busy: int, macs: int, size: int, ideal: float, total: int) -> dict[str, Any]:
    """`wall`, `busy` and `total` in nanoseconds, `ideal` in seconds."""
    return {
        "ms": wall / 1e6,
        "share": wall / total,
        "busy_ms": busy / 1e6,
        "macs": macs,
        "bytes": size,
        "gmacs_per_s": macs / wall if wall else 0.0,
        "gbytes_per_s": size / wall if wall else 0.0,
        "peak_share": ideal * 1e9 / busy if macs and busy else None,
    }


def _layers(kinds: Sequence[str]) -> list[str]:
    """The layer of each op. Names in files say nothing reliable, so it goes by structure.

    A layer has one attention and begins with the product before it (query, key, value); "input" is what comes before
    the first layer, "output" what begins with the pooling.
    """
    starts = [i - (i > 0 and kinds[i - 1] == "Linear") for i, kind in enumerate(kinds) if kind == "Attention"]
    end = kinds.index("Pool") if "Pool" in kinds else len(kinds)
    labels = []
    for i in range(len(kinds)):
        number = sum(start <= i for start in starts)
        labels.append("output" if i >= end else f"layer {number - 1}" if number else "input")
    return labels


def _table(title: str, rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    lines = [[title, "ms", "share", "busy ms", "MMAC", "KB", "GMAC/s", "GB/s", "of peak"]]
    for name, row in zip(names, rows, strict=True):
        peak = "-" if row["peak_share"] is None else f"{row['peak_share']:.0%}"
        lines.append([
            name, f"{row['ms']:.4f}", f"{row['share']:.1%}", f"{row['busy_ms']:.4f}", f"{row['macs'] / 1e6:.2f}",
            f"{row['bytes'] / 1e3:.0f}", f"{row['gmacs_per_s']:.1f}", f"{row['gbytes_per_s']:.2f}", peak,
        ])  # fmt: skip
    return "\n".join(columns(lines))


def _events(raw: Mapping[str, Any], row: Mapping[str, Any], process: int) -> list[dict[str, Any]]:
    """Trace events of the last runs of one profile, as a process of the trace with a track for each thread."""
    ops = row["ops"]
    title = f"{row['tokens']} tokens, {row['threads_used']} threads"
    events: list[dict[str, Any]] = [
        {"ph": "M", "name": "process_name", "pid": process, "tid": 0, "args": {"name": title}}
    ]
    for thread in range(row["threads_used"]):
        name = "caller" if thread == 0 else f"helper {thread}"
        events.append({"ph": "M", "name": "thread_name", "pid": process, "tid": thread, "args": {"name": name}})
    begins, ends = raw["run_begin_ns"][-_TRACE_RUNS:], raw["run_end_ns"][-_TRACE_RUNS:]
    zero = begins[0]

    def add(name: str, kind: str, thread: int, begin: int, end: int, args: Mapping[str, Any]) -> None:
        events.append({"ph": "X", "name": name, "cat": kind, "pid": process, "tid": thread,
                       "ts": (begin - zero) / 1e3, "dur": (end - begin) / 1e3, "args": dict(args)})  # fmt: skip

    for number, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        add("forward", "forward", 0, begin, end, {"run": number})
    # Slices of one thread come in order; those of one op in one run follow each other.
    spans: list[tuple[tuple[int, int], list[tuple[int, ...]]]] = []
    for piece in raw["slices"]:
        thread, op, phase = piece[:3]
        if piece[4] < zero:
            continue
        if spans and spans[-1][0] == (thread, op) and spans[-1][1][-1][2] < phase:
            spans[-1][1].append(piece)
        else:
            spans.append(((thread, op), [piece]))
    for (thread, op), pieces in spans:
        facts = {key: ops[op][key] for key in ("layer", "macs", "bytes")}
        add(ops[op]["name"], ops[op]["kind"], thread, pieces[0][4], pieces[-1][5], facts)
        for _, _, phase, tasks, start, stop, busy in pieces:
            add(_phase(ops[op]["kind"], phase, len(pieces)), "phase", thread, start, stop,
                {"tasks": tasks, "busy_us": busy / 1e3, "waiting_us": (stop - start - busy) / 1e3})  # fmt: skip
    return events


def _phase(kind: str, phase: int, phases: int) -> str:
    if kind == "Linear":
        return "quantize" if phases > 1 and phase == 0 else "product"
    return f"phase {phase}"
