"""Will this model, or what this recipe will make, run on that board: operators, memory, file, time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from potstill.boards import Board
from potstill.doctor.check import Findings
from potstill.errors import PotstillError, not_in_this_wheel
from potstill.paths import existing

if TYPE_CHECKING:
    from potstill.bench.predict import CostModel, Prediction

    # Reads a subject that is no .still file; what it finds goes into the findings.
    Reader = Callable[[Findings, str], CostModel | None]

# Of a board's memory: up to half is fine beside the system and the application, over 90 % cannot work.
_FINE, _MOST = 0.5, 0.9


@dataclass(frozen=True)
class Limits:
    """What the user allows: milliseconds a text, bytes of file, bytes of memory; None: only shown."""

    ms: float | None = None
    bytes: int | None = None
    ram: int | None = None


def check(
    subject: str,
    board: Board | None,
    limits: Limits,
    *,
    tokens: int | None = None,
    threads: int = 1,
    read: Reader | None = None,
) -> Findings:
    """Look at a ``.still`` file, or at what `read` knows: an ONNX file or a recipe.

    Args:
        subject: path, or the name of a bundled recipe.
        board: the board it is to run on; None: time and memory are not judged.
        limits: the user's own.
        tokens: length of a text for time and memory; by default the model's limit.
        threads: for the predicted time.

    Raises:
        InputError: no such file or recipe.
    """
    findings = Findings(f"{subject} on {board.title if board else 'no board named'}")
    path = Path(subject)
    if path.suffix in (".still", ".onnx"):
        existing(subject, "give a .still or .onnx file, or a recipe")
    if path.suffix == ".still":
        model = _still(findings, path)
    elif read is not None:
        model = read(findings, subject)
    else:
        lacking = not_in_this_wheel("what reads it", subject)
        findings.unknown("model", f"{lacking.what}: {lacking.next_step}")
        return findings
    if model is not None:
        _judge(findings, model, path if path.suffix == ".still" else None, board, limits, tokens, threads)
    return findings


def _still(findings: Findings, path: Path) -> CostModel | None:
    from potstill.bench.predict import model_of

    try:
        model = model_of(path, static=True)
    except PotstillError as error:
        findings.failure("file", f"{error.what} ({error.code})", error.next_step)
        return None
    findings.ok("operators", f"every one runs in the core; scheme {model.scheme}, {model.parameters:,} parameters")
    return model


def _judge(
    findings: Findings, model: CostModel, still: Path | None, board: Board | None, limits: Limits,
    tokens: int | None, threads: int,
) -> None:  # fmt: skip
    length = min(tokens or model.max_tokens, model.max_tokens)
    size = still.stat().st_size if still else model.file_bytes()
    about = "" if still else "about "
    if limits.bytes is not None and size > limits.bytes:
        step = "scheme int4, fewer layers or a smaller hidden size"
        findings.failure("file", f"{about}{size / 1e6:.1f} MB, {limits.bytes / 1e6:.1f} MB allowed", step)
    else:
        findings.ok("file", f"{about}{size / 1e6:.1f} MB")
    if board is None:
        findings.unknown("memory and time", "name a board with --board")
        return
    need = model.peak_bytes(length)
    have = board.ram_mb * 1_000_000
    seen = f"about {need / 1e6:.0f} MB with Python, the board has {board.ram_mb} MB"
    if need > (have * _MOST if limits.ram is None else limits.ram):
        allowed = "" if limits.ram is None else f", {limits.ram / 1e6:.0f} MB allowed"
        findings.failure("memory", seen + allowed, "a smaller student, scheme int8 or int4, or shorter texts")
    elif limits.ram is None and need > have * _FINE:
        findings.warning("memory", seen, "little is left for the system and the application")
    else:
        findings.ok("memory", seen)
    _judge_time(findings, model, board, limits, length, threads)


def _ms(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def _judge_time(findings: Findings, model: CostModel, board: Board, limits: Limits, length: int, threads: int) -> None:
    from potstill.bench.predict import predict

    if not model.layers:
        findings.unknown("time", "the cost model knows attention layers only: measure it with potstill bench")
        return
    answer: Prediction = predict(model, board, tokens=length, threads=threads)
    seen = (
        f"{_ms(answer.ms)} ms predicted ({_ms(answer.low_ms)} to {_ms(answer.high_ms)}) for {length} tokens, "
        f"{threads} thread{'s' if threads > 1 else ''}"
    )
    if limits.ms is None:
        findings.ok("time", seen)
    elif answer.low_ms > limits.ms:
        step = "a smaller student, shorter texts, or more threads (--threads)"
        findings.failure("time", f"{seen}; {limits.ms:g} ms allowed", step)
    elif answer.high_ms > limits.ms:
        findings.warning("time", f"{seen}; {limits.ms:g} ms allowed", "within the model's error: measure on a board")
    else:
        findings.ok("time", f"{seen}; {limits.ms:g} ms allowed")
