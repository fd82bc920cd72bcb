"""`potstill bench M.still --board pi4`: the table and the assumptions behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from potstill.bench.predict.predict import Prediction, predict
from potstill.bench.predict.shape import shape_of
from potstill.boards import Board, this_board
from potstill.errors import InputError

LENGTHS, THREADS = (16, 64), (1, 4)
ASSUMPTIONS = (
    "A prediction, not a measurement: cycles of the core's kernels modelled by llvm-mca from executions counted under "
    "QEMU, at the board's full clock; weights streamed at the memory speed of boards.toml unless they fit its last "
    "cache; warm calls; no other load, no throttling. The band is an estimate: no board was at hand to check it."
)


def predictions(
    still: Path, boards: Sequence[Board], lengths: Sequence[int] | None, threads: Sequence[int] | None
) -> list[Prediction]:
    """A prediction for each board, length that the model takes, and thread count.

    Raises:
        InputError: I060 no length fits the model; and as `predict`.
    """
    shape = shape_of(still)
    wanted = lengths or sorted({min(length, shape.max_tokens) for length in LENGTHS})
    fitting = [length for length in wanted if length <= shape.max_tokens]
    if not fitting:
        raise InputError(
            "I060", f"the model takes {shape.max_tokens} tokens", f"--lengths {min(wanted)}", "give shorter lengths"
        )
    return [
        predict(shape, board, tokens=length, threads=number)
        for board in boards
        for length in fitting
        for number in threads or THREADS
    ]


def measured(still: Path, rows: Sequence[Prediction]) -> dict[tuple[int, int], float]:
    """Median milliseconds by (tokens, threads) where this machine is the rows' board, else nothing."""
    here = this_board()
    if here is None:
        return {}
    mine = [row for row in rows if row.board == here.name]
    if not mine:
        return {}
    from potstill.bench.measure import bench_still

    cases = bench_still(still, sorted({row.tokens for row in mine}), sorted({row.threads for row in mine}))
    return {(case["tokens"], case["threads"]): float(case["median_ms"]) for case in cases}


def data(rows: Sequence[Prediction], seen: dict[tuple[int, int], float]) -> dict[str, Any]:
    """``{"assumptions": ..., "rows": [Prediction's fields, and measured_ms where it was measured]}``."""
    made = []
    for row in rows:
        value = asdict(row)
        if (row.tokens, row.threads) in seen:
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
        head = f"{'tokens':>8}  {'threads':>7}  {'ms':>8}  {'band':>17}  {'compute':>8}  {'weights':>8}"
        lines.append(head + ("  measured" if seen else ""))
        for row in mine:
            used = f"{row.threads}" if row.threads_used == row.threads else f"{row.threads} (uses {row.threads_used})"
            text = (
                f"{row.tokens:>8}  {used:>7}  {row.ms:>8.2f}  {row.low_ms:>7.2f} - {row.high_ms:>7.2f}  "
                f"{row.compute_ms:>8.2f}  {row.stream_ms:>8.2f}"
            )
            value = seen.get((row.tokens, row.threads))
            lines.append(text + ("" if value is None else f"  {value:8.2f}"))
        size, peak = still.stat().st_size / 1e6, max(row.peak_bytes for row in mine) / 1e6
        lines += ["", f"file {size:.1f} MB; Python with the model about {peak:.0f} MB of {board.ram_mb} MB"]
        lines += [f"memory: {board.memory.source}", *(f"note: {note}" for note in mine[0].notes), ""]
    return "\n".join([*lines, ASSUMPTIONS])
