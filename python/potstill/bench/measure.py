"""Milliseconds of one sentence, for us and for peers, measured so that the comparison is fair on a shared machine.

Contenders take turns in rounds, so that a slow minute of the machine hits all of them. Each turn has one call that is
not counted (caches, clock, sleeping threads), then a few that are. Median and the 10th and 90th percentile are over all
counted calls. All run in this process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from potstill.bench.engine import OWN, Peer
from potstill.bench.rounds import interleave, sentence, settle, spread, timed
from potstill.errors import InputError, PotstillError, SystemFailure
from potstill.work.columns import columns

if TYPE_CHECKING:
    from potstill.work.progress import Progress

LENGTHS = (16, 64)
THREADS = (1, 2)
# Rounds wanted, and seconds after which a length and thread count has enough of them.
ROUNDS = 25
CALLS_A_TURN = 3
_BUDGET_SECONDS = 4.0


def fitting_lengths(asked: Iterable[int] | None, limit: int) -> list[int]:
    """The lengths to measure, ascending: those asked for, else `LENGTHS` cut to the model's limit.

    Raises:
        InputError: a length over the limit was asked for.
    """
    if asked is None:
        return sorted({min(length, limit) for length in LENGTHS})
    lengths = sorted(set(asked))
    if lengths[-1] > limit:
        where = f"--lengths {','.join(map(str, lengths))}"
        raise InputError("I060", f"{lengths[-1]} tokens, the model takes {limit}", where, "give shorter lengths")
    return lengths


def those_that_fit(lengths: Iterable[int], limit: int) -> list[int]:
    """The distinct lengths that the model takes, ascending.

    Raises:
        InputError: it takes none of them.
    """
    wanted = sorted(set(lengths))
    fitting = [length for length in wanted if length <= limit]
    if not fitting:
        raise InputError("I060", f"the model takes {limit} tokens", f"--lengths {wanted[0]}", "give shorter lengths")
    return fitting


def bench_still(
    path: Path,
    lengths: Iterable[int] | None = None,
    threads: Iterable[int] = (1,),
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Measure a `.still` file alone; with peers: `potstill.compare.comparison.bench_peers`.

    Args:
        lengths: tokens of a sentence; None for `LENGTHS` as far as the model takes them.

    Returns:
        Rows as `measure`.

    Raises:
        InputError: a length over the model's limit.
        FormatError: the file is not a `.still`.
    """
    from potstill.runtime.backends import open_backend

    info = open_backend("native", path, 1).info
    lengths = fitting_lengths(lengths, int(info["max_tokens"]))
    own = Peer("Potstill", str(info["scheme"]), "still", OWN)
    return measure(
        [(own, path)], lengths=lengths, threads=tuple(threads), vocabulary=int(info["vocabulary"]), progress=progress
    )


def measure(
    contenders: Sequence[tuple[Peer, Path]],
    *,
    lengths: Sequence[int],
    threads: Sequence[int],
    vocabulary: int,
    rounds: int = ROUNDS,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Time contenders against each other, batch 1.

    Returns:
        Rows ``{engine, precision, tokens, padded_to, threads, median_ms, min_ms, p10_ms, p90_ms, runs}``; a contender
        that cannot be loaded is named through `progress` and has no row.

    Raises:
        SystemFailure: not one contender could be loaded.
    """
    progress = or_quiet(progress)
    rows: list[dict[str, Any]] = []
    with progress.task("bench", total=len(threads) * len(lengths) * rounds, unit="rounds") as task:
        for count in threads:
            opened = []
            for peer, path in contenders:
                runner = attempt(partial(peer.open, path, count), peer, progress)
                if runner is not None:
                    opened.append((peer, runner))
            if not opened:
                raise SystemFailure("S063", "no engine could be loaded", "bench", "pip install 'potstill[onnxruntime]'")
            for tokens in lengths:
                calls = [runner.prepare([sentence(tokens, vocabulary)]) for _, runner in opened]
                for call in calls:
                    call()
                times: list[list[int]] = [[] for _ in calls]
                turns = [partial(_turn, call) for call in calls]
                interleave(turns, times, rounds=rounds, budget=_BUDGET_SECONDS, seed=tokens, task=task)
                for (peer, runner), taken in zip(opened, times, strict=True):
                    rows.append(
                        {
                            "engine": peer.engine,
                            "precision": peer.precision,
                            "tokens": tokens,
                            "padded_to": runner.padded(tokens),
                            "threads": count,
                            **spread(taken),
                        }
                    )
    return rows


def _turn(call: Callable[[], object]) -> list[int]:
    call()
    taken = timed([call], CALLS_A_TURN)
    settle()
    return taken


def format_rows(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as a plain table."""
    lines = [["engine", "precision", "tokens", "threads", "median ms", "p10", "p90", "runs"]]
    for row in rows:
        tokens = str(row["tokens"])
        if row.get("padded_to", row["tokens"]) != row["tokens"]:
            tokens += f" (as {row['padded_to']})"
        figures = [f"{row[key]:.3f}" for key in ("median_ms", "p10_ms", "p90_ms")]
        lines.append([row["engine"], row["precision"], tokens, str(row["threads"]), *figures, str(row["runs"])])
    return "\n".join(columns(lines, left=2))


def attempt(work: Callable[[], Any], peer: Peer, progress: Progress) -> Any:
    """The result of the work, or None after telling why that peer has no row."""
    try:
        return work()
    except PotstillError as error:
        progress.message(f"{peer.name} is not measured: {error}")
        return None


def or_quiet(progress: Progress | None) -> Progress:
    if progress is not None:
        return progress
    from potstill.work.progress import make_progress

    return make_progress()
