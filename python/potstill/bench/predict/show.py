"""`potstill bench M.still --board pi4`: the table and the assumptions behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from potstill.bench.predict.predict import Prediction, predict
from potstill.bench.predict.shape import ModelShape, shape_of
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


# BERT-base as the article's teacher, by our own fp32 kernels: in the same cost model onnxruntime and LiteRT take 0.98
# to 1.1 times their cycles, so the row stands for them too. Its file is the weights'.
BERT_BASE = ModelShape(12, 768, 3072, 12, 30522, 512, 2, "fp32")
# The article's own figures on a Pi 4: MB of file, MB of memory, milliseconds; before and after.
ARTICLE = ((420.0, 1200.0, 3200.0), (28.0, 180.0, 280.0))


def article(still: Path, board: Board) -> str:
    """The article's pair, predicted: BERT-base in fp32 against this model, beside what the article says."""
    student = shape_of(still)
    tokens = min(128, student.max_tokens)
    rows = [("BERT-base, fp32", BERT_BASE, BERT_BASE.file_bytes()), (still.name, student, still.stat().st_size)]
    lines = [
        f"The article's comparison on {board.title}, {tokens} tokens, predicted",
        "",
        f"{'':<22}  {'file MB':>8}  {'memory MB':>9}  {'ms, 1 thread':>13}  {'ms, 4 threads':>13}",
    ]
    figures = []
    for _, shape, size in rows:
        one, four = (predict(shape, board, tokens=tokens, threads=number).ms for number in (1, 4))
        figures.append((size / 1e6, shape.peak_bytes(tokens) / 1e6, one, four))
    text = "{:<22}  {:>8.1f}  {:>9.0f}  {:>13.1f}  {:>13.1f}"
    lines += [text.format(name, *values) for (name, *_), values in zip(rows, figures, strict=True)]
    ratios = [before / after for before, after in zip(*figures, strict=True)]
    lines.append("{:<22}  {:>7.1f}x  {:>8.1f}x  {:>12.1f}x  {:>12.1f}x".format("ratio", *ratios))
    for name, values in zip(("article, before", "article, after"), ARTICLE, strict=True):
        lines.append("{:<22}  {:>8.0f}  {:>9.0f}  {:>13.0f}".format(name, *values))
    said = [before / after for before, after in zip(*ARTICLE, strict=True)]
    lines.append("{:<22}  {:>7.1f}x  {:>8.1f}x  {:>12.1f}x".format("article, ratio", *said))
    return "\n".join(lines)
