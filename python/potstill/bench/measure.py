"""Milliseconds of one sentence, for us and for peers, measured so that the comparison is fair on a shared machine.

Contenders take turns in rounds (A B C A B C ...), so that a slow minute of the machine hits all of them. Each turn
has one call that is not counted (caches, clock, sleeping threads), then a few that are. Median and the 10th and 90th
percentile are over all counted calls.
"""

from __future__ import annotations

import dataclasses
import random
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from potstill.bench.peers import PEERS, Peer
from potstill.errors import InputError, PotstillError, SystemFailure

LENGTHS = (16, 64)
THREADS = (1, 2)
# Rounds wanted, and seconds after which a length and thread count has enough of them.
ROUNDS = 25
CALLS_A_TURN = 3
_LEAST_ROUNDS = 4
_BUDGET_SECONDS = 4.0
# Thread pools of some engines spin for a while after a call; let them fall asleep before another engine's turn.
_PAUSE_SECONDS = 0.002
# Where each export lies beside a `.still`, by the endings that `potstill build` uses.
_BESIDE = {"onnx": ".onnx", "onnx_int8": ".int8.onnx", "tflite": ".tflite", "tflite_int8": ".int8.tflite"}


def bench_host(
    model_dir: Path | None,
    exports: Mapping[str, Path],
    *,
    max_tokens: int,
    progress: Any = None,
    lengths: Iterable[int] = LENGTHS,
    threads: Iterable[int] = THREADS,
    rounds: int = ROUNDS,
    memory: bool = True,
    scheme: str = "int8",
) -> dict[str, list[dict[str, Any]]]:
    """Measure every engine that has a file.

    Args:
        model_dir: classifier folder for PyTorch, or None to leave PyTorch out.
        exports: file of each export, keys as in `potstill.export.parity.BACKENDS`.
        max_tokens: lengths above it are cut to it.
        progress: a `potstill.pipeline.progress.Progress`, or None.
        lengths: tokens of a sentence, specials included.
        threads: thread counts.
        rounds: rounds wanted of each length and thread count; a time budget may stop earlier.
        memory: also start each engine in a fresh process for its peak memory and load time.
        scheme: of the export `still`.

    Returns:
        ``bench``: rows as `measure` gives; ``memory``: rows as `potstill.bench.memory.measure_memory` gives.
    """
    progress = _or_quiet(progress)
    files = {**exports, **({"pytorch": model_dir} if model_dir is not None else {})}
    peers = [
        (dataclasses.replace(peer, precision=scheme) if peer.export == "still" else peer, files[peer.export])
        for peer in PEERS
        if peer.export in files
    ]
    wanted = sorted({min(length, max_tokens) for length in lengths})
    rows = measure(peers, lengths=wanted, threads=tuple(threads), rounds=rounds, progress=progress)
    found: dict[str, list[dict[str, Any]]] = {"bench": rows, "memory": []}
    if memory:
        from potstill.bench.memory import measure_memory

        with progress.task("memory", total=len(peers), unit="engines") as task:
            for peer, path in peers:
                if not peer.option:
                    row = _attempt(partial(measure_memory, peer, path), peer, progress)
                    found["memory"] += [row] if row is not None else []
                task.advance(1, note=f"{peer.engine} {peer.precision}")
    return found


def bench_still(
    path: Path,
    lengths: Iterable[int] = LENGTHS,
    threads: Iterable[int] = (1,),
    peers: bool = False,
    progress: Any = None,
) -> list[dict[str, Any]]:
    """Measure a `.still` file, and with `peers` the exports beside it (``model.onnx``, ``model.int8.tflite``, ...).

    Returns:
        Rows as `measure`.

    Raises:
        InputError: I060 a length over the model's limit, I061 `peers` but nothing beside the file.
        FormatError: the file is not a `.still`.
    """
    from potstill.runtime.backends import open_backend

    info = open_backend("native", path, 1).info
    lengths = sorted(set(lengths))
    if lengths[-1] > int(info["max_tokens"]):
        raise InputError(
            "I060",
            f"{lengths[-1]} tokens, the model takes {info['max_tokens']}",
            f"--lengths {','.join(map(str, lengths))}",
            "give shorter lengths",
        )
    own = Peer("Potstill", str(info["scheme"]), "still", "potstill")
    contenders = [(own, path)]
    if peers:
        stem = path.name.removesuffix(".still")
        files = {key: path.with_name(stem + ending) for key, ending in _BESIDE.items()}
        found = [(peer, files[peer.export]) for peer in PEERS if peer.export in files and files[peer.export].is_file()]
        if not found:
            raise InputError(
                "I061", "no export lies beside the model", str(path), f"put {stem}.onnx or {stem}.tflite there"
            )
        contenders = [*found, (own, path)]
    return measure(contenders, lengths=lengths, threads=tuple(threads), progress=progress)


def measure(
    contenders: Sequence[tuple[Peer, Path]],
    *,
    lengths: Sequence[int],
    threads: Sequence[int],
    rounds: int = ROUNDS,
    progress: Any = None,
) -> list[dict[str, Any]]:
    """Time contenders against each other, batch 1.

    Returns:
        Rows ``{engine, precision, tokens, padded_to, threads, median_ms, min_ms, p10_ms, p90_ms, runs}``; a
        contender that
        cannot be loaded is named through `progress` and has no row.

    Raises:
        SystemFailure: S010 not one contender could be loaded.
    """
    progress = _or_quiet(progress)
    rows: list[dict[str, Any]] = []
    with progress.task("bench", total=len(threads) * len(lengths) * rounds, unit="rounds") as task:
        for count in threads:
            opened = []
            for peer, path in contenders:
                runner = _attempt(partial(peer.open, path, count), peer, progress)
                if runner is not None:
                    opened.append((peer, runner))
            if not opened:
                raise SystemFailure("S010", "no engine could be loaded", "bench", "pip install 'potstill[onnxruntime]'")
            for tokens in lengths:
                calls = [(peer, runner.padded(tokens), runner.prepare(sentence(tokens))) for peer, runner in opened]
                times = _rounds([call for _, _, call in calls], rounds, task)
                for (peer, padded, _), taken in zip(calls, times, strict=True):
                    rows.append(
                        {
                            "engine": peer.engine,
                            "precision": peer.precision,
                            "tokens": tokens,
                            "padded_to": padded,
                            "threads": count,
                            **_spread(taken),
                        }
                    )
    return rows


def sentence(tokens: int) -> list[int]:
    """Ids of a made-up sentence: speed does not depend on which words they are, and every vocabulary has 128."""
    generator = random.Random(tokens)
    return [generator.randrange(1, 128) for _ in range(tokens)]


def format_rows(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as a plain table."""
    header = ["engine", "precision", "tokens", "threads", "median ms", "p10", "p90", "runs"]
    lines = [header]
    for row in rows:
        tokens = str(row["tokens"])
        if row.get("padded_to", row["tokens"]) != row["tokens"]:
            tokens += f" (as {row['padded_to']})"
        figures = [f"{row[key]:.3f}" for key in ("median_ms", "p10_ms", "p90_ms")]
        lines.append([row["engine"], row["precision"], tokens, str(row["threads"]), *figures, str(row["runs"])])
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) if column < 2 else cell.rjust(width)
                  for column, (cell, width) in enumerate(zip(line, widths, strict=True))).rstrip()
        for line in lines
    )  # fmt: skip


def _rounds(calls: Sequence[Callable[[], object]], rounds: int, task: Any) -> list[list[int]]:
    """Nanoseconds of the counted calls of each contender."""
    times: list[list[int]] = [[] for _ in calls]
    for call in calls:
        call()
    end = time.perf_counter() + _BUDGET_SECONDS
    for number in range(rounds):
        for call, taken in zip(calls, times, strict=True):
            time.sleep(_PAUSE_SECONDS)
            call()
            for _ in range(CALLS_A_TURN):
                start = time.perf_counter_ns()
                call()
                taken.append(time.perf_counter_ns() - start)
        task.advance(1)
        if number + 1 >= _LEAST_ROUNDS and time.perf_counter() > end:
            task.advance(rounds - number - 1)
            break
    return times


def _spread(nanoseconds: Sequence[int]) -> dict[str, Any]:
    ordered = sorted(nanoseconds)
    tenths = statistics.quantiles(ordered, n=10, method="inclusive") if len(ordered) > 1 else [float(ordered[0])] * 9
    return {
        "median_ms": statistics.median(ordered) / 1e6,
        "min_ms": ordered[0] / 1e6,
        "p10_ms": tenths[0] / 1e6,
        "p90_ms": tenths[8] / 1e6,
        "runs": len(ordered),
    }


def _attempt(work: Callable[[], Any], peer: Peer, progress: Any) -> Any:
    """The result of the work, or None after telling why that peer has no row."""
    try:
        return work()
    except PotstillError as error:
        progress.message(f"{peer.engine} {peer.precision} is not measured: {error}")
        return None


def _or_quiet(progress: Any) -> Any:
    if progress is not None:
        return progress
    from potstill.pipeline.progress import make_progress

    return make_progress()
