"""The article's pair, BERT-base against a student, predicted on a board beside what the article says of a Pi 4."""

from __future__ import annotations

from pathlib import Path

from potstill.bench.predict.peers import peer_file_bytes
from potstill.bench.predict.predict import PEERS, peer_version, predict
from potstill.bench.predict.shape import ModelShape, shape_of
from potstill.boards import Board

# The article's teacher: 12 layers, 512 positions.
BERT_BASE = ModelShape(12, 768, 3072, 12, 30522, 512, 2, "fp32")
# The article's own figures on a Pi 4: MB of file, MB of memory, milliseconds; before and after.
ARTICLE = ((420.0, 1200.0, 3200.0), (28.0, 180.0, 280.0))
_THREADS = (1, 4)


def _figures(shape: ModelShape, size: int, board: Board, tokens: int, engine: str, precision: str) -> list[float]:
    """MB of file, MB of memory, milliseconds for each of `_THREADS`."""
    found = [
        predict(shape, board, tokens=tokens, threads=number, engine=engine, precision=precision) for number in _THREADS
    ]
    return [size / 1e6, found[0].peak_bytes / 1e6, *(row.ms for row in found)]


def article(still: Path, board: Board) -> str:
    """A table: BERT-base where its files would run, the student on the peers and on Potstill, the article's figures."""
    student = shape_of(still)
    tokens = min(128, student.max_tokens)
    rows: list[tuple[str, list[float]]] = []
    if board.target.bits == 64:
        shown = [(BERT_BASE, "BERT-base", precision) for precision in ("fp32", "int8")] + [(student, "student", "int8")]
        for shape, name, precision in shown:
            for engine in PEERS:
                size = peer_file_bytes(engine, shape, precision)
                values = _figures(shape, size, board, tokens, engine, precision)
                rows.append((f"{name} {precision}, {engine} {peer_version(engine)}", values))
    else:
        values = _figures(BERT_BASE, BERT_BASE.file_bytes(), board, tokens, "potstill", "fp32")
        rows.append(("BERT-base fp32, by our fp32 kernels", values))
    own = _figures(student, still.stat().st_size, board, tokens, "potstill", student.scheme)
    rows.append((f"{still.name} {student.scheme}, Potstill", own))
    head = "{:<38}  {:>8}  {:>9}  {:>13}  {:>13}"
    text = "{:<38}  {:>8.1f}  {:>9.0f}  {:>13.1f}  {:>13.1f}"
    lines = [
        f"The article's comparison on {board.title}, {tokens} tokens, predicted",
        "",
        head.format("", "file MB", "memory MB", *(f"ms, {n} thread{'s' * (n > 1)}" for n in _THREADS)),
        *(text.format(name, *values) for name, values in rows),
    ]
    first = rows[0][1]
    ratios = [f"{before / after:.1f}x" for before, after in zip(first, own, strict=True)]
    lines.append(head.format("first row against last", *ratios))
    for name, said in zip(("the article, before", "the article, after"), ARTICLE, strict=True):
        lines.append(head.format(name, *(f"{value:.0f}" for value in said), ""))
    ratios = [f"{before / after:.1f}x" for before, after in zip(*ARTICLE, strict=True)]
    lines.append(head.format("the article, ratio", *ratios, ""))
    return "\n".join(line.rstrip() for line in lines)
