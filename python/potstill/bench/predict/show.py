"""`potstill bench M.still --board pi4`: the table and the assumptions behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from potstill.bench.measure import those_that_fit
from potstill.bench.predict.model import model_of
from potstill.bench.predict.predict import PEERS, Prediction, peer_version, predict
from potstill.boards import Board, this_board
from potstill.errors import InputError

LENGTHS, THREADS = (16, 64), (1, 4)
ENGINES = ("potstill", *PEERS)
ASSUMPTIONS = (
    "A prediction, not a measurement: cycles of each engine's kernels modelled by llvm-mca from executions counted "
    "under QEMU, at the board's full clock; weights streamed at the memory speed of boards.toml unless they fit its "
    "last cache; warm calls; no other load, no throttling. LiteRT with a static graph of just that length, its best. "
    "No board was at hand to check the band; on the one core where it could be tried (Zen 4) forwards took 0.85 to "
    "1.13 times what the same method said."
)


def predictions(
    still: Path,
    boards: Sequence[Board],
    lengths: Sequence[int] | None,
    threads: Sequence[int] | None,
    engines: Sequence[str] = ENGINES,
) -> list[Prediction]:
    """A prediction for each board, length that the model takes, thread count and engine; the peers for the exported
    ONNX and TFLite files in fp32 and int8, where there is a cost table.

    Raises:
        InputError: no length fits the model; unknown engine; and as `predict`.
    """
    for engine in engines:
        if engine not in ENGINES:
            raise InputError("I073", f"no cost table for {engine!r}", "--only", f"use {', '.join(ENGINES)}")
    model = model_of(still)
    wanted = lengths or {min(length, model.max_tokens) for length in LENGTHS}
    fitting = those_that_fit(wanted, model.max_tokens)
    made = []
    for board in boards:
        pairs = [("potstill", model.scheme)] if "potstill" in engines else []
        if board.target.bits == 64:  # neither peer is counted on 32-bit systems
            pairs += [(engine, precision) for engine in PEERS if engine in engines for precision in ("int8", "fp32")]
        if not pairs:
            raise InputError("I073", f"no cost table for {', '.join(engines)}", board.name, "give a 64-bit board")
        made += [
            predict(model, board, tokens=length, threads=number, engine=engine, precision=precision)
            for length in fitting
            for number in threads or THREADS
            for engine, precision in pairs
        ]
    return made


def measured(still: Path, rows: Sequence[Prediction]) -> dict[tuple[int, int], float]:
    """Median milliseconds by (tokens, threads) where this machine is the rows' board, else nothing."""
    here = this_board()
    if here is None:
        return {}
    mine = [row for row in rows if row.board == here.name]
    if not mine:
        return {}
    from potstill.bench.measure import bench_still
    from potstill.work.progress import make_progress

    tokens, threads = sorted({row.tokens for row in mine}), sorted({row.threads for row in mine})
    cases = bench_still(still, tokens, threads, make_progress())
    return {(case["tokens"], case["threads"]): float(case["median_ms"]) for case in cases}


def data(rows: Sequence[Prediction], seen: dict[tuple[int, int], float]) -> dict[str, Any]:
    """``{"assumptions": ..., "rows": [Prediction's fields, and measured_ms where it was measured]}``."""
    made = []
    for row in rows:
        value = asdict(row)
        if row.engine == "potstill" and (row.tokens, row.threads) in seen:
            value["measured_ms"] = seen[row.tokens, row.threads]
        made.append(value)
    return {"assumptions": ASSUMPTIONS, "rows": made}


def table(still: Path, rows: Sequence[Prediction], boards: Sequence[Board], seen: dict[tuple[int, int], float]) -> str:
    """A table a board, then what was assumed."""
    lines: list[str] = []
    for board in boards:
        mine = [row for row in rows if row.board == board.name]
        last = f"{board.clock_mhz} MHz, {board.cores} cores, {board.target.bits}-bit {board.system.name}"
        lines += [f"{still.name} on {board.title} ({board.core}, {last}), predicted", ""]
        head = (
            f"{'tokens':>6}  {'threads':>12}  {'engine':<18}  {'ms':>8}  {'band':>17}  {'compute':>8}  {'weights':>8}"
        )
        lines.append(head + "  / Potstill" + ("  measured" if seen else ""))
        own = {(row.tokens, row.threads): row.ms for row in mine if row.engine == "potstill"}
        before = (0, 0)
        for row in mine:
            case = (row.tokens, row.threads)
            used = f"{row.threads}" if row.threads_used == row.threads else f"{row.threads} (uses {row.threads_used})"
            ratio = f"{row.ms / own[case]:9.2f}x" if case in own else f"{'-':>10}"
            start = f"{row.tokens:>6}  {used:>12}" if case != before or used != f"{row.threads}" else f"{'':>20}"
            text = (
                f"{start}  {row.engine + ' ' + row.precision:<18}  {row.ms:>8.2f}  "
                f"{row.low_ms:>7.2f} - {row.high_ms:>7.2f}  {row.compute_ms:>8.2f}  {row.stream_ms:>8.2f}  {ratio}"
            )
            value = seen.get(case) if row.engine == "potstill" else None
            lines.append(text + ("" if value is None else f"  {value:8.2f}"))
            before = case
        size = still.stat().st_size / 1e6
        lines += ["", f"file {size:.1f} MB; peak memory of Python with the model, of the board's {board.ram_mb} MB:"]
        peaks = {f"{row.engine} {row.precision}": row.peak_bytes / 1e6 for row in mine}
        lines.append("  " + ", ".join(f"{name} {peak:.0f} MB" for name, peak in peaks.items()))
        versions = ", ".join(f"{name} {peer_version(name)}" for name in PEERS)
        lines.append(f"counted: {versions}" if board.target.bits == 64 else "32-bit: other engines are not modelled")
        lines += [f"memory speed: {board.memory.source}", *(f"note: {note}" for note in mine[0].notes), ""]
    return "\n".join([*lines, ASSUMPTIONS])
