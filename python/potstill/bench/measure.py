"""`potstill bench MODEL`: milliseconds of one sentence, and the lengths that are measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from potstill.bench.engine import OWN, Peer
from potstill.bench.race import Contender, Race, all_measured, made_up
from potstill.errors import InputError
from potstill.work.columns import columns

if TYPE_CHECKING:
    from potstill.work.progress import Progress

LENGTHS = (16, 64)
THREADS = (1, 2)
# Rounds wanted, and seconds after which a length and thread count has enough of them.
ROUNDS = 25
BUDGET_SECONDS = 4.0


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
    path: Path, lengths: Iterable[int] | None, threads: Sequence[int], progress: Progress
) -> list[dict[str, Any]]:
    """Measure a `.still` file alone, in this process; with peers: `potstill.compare.comparison.bench_peers`.

    Args:
        lengths: tokens of a sentence; None for `LENGTHS` as far as the model takes them.
        threads: thread counts.

    Returns:
        Rows as `potstill.bench.race.Race.run` gives.

    Raises:
        InputError: a length over the model's limit.
        FormatError: the file is not a `.still`.
    """
    from potstill.runtime.backends import open_backend

    info = open_backend("native", path, 1).info
    cases = made_up(fitting_lengths(lengths, int(info["max_tokens"])), int(info["vocabulary"]))
    own = [Contender(Peer("Potstill", str(info["scheme"]), "still", OWN), path)]
    rows: list[dict[str, Any]] = []
    Race(threads, ROUNDS, BUDGET_SECONDS).run(own, cases, rows, progress)
    all_measured(own, progress)
    return rows


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
