"""What a build's benchmark says about how to run the model: sentences for the warnings, none when all is well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# Differences below this are within the spread of a shared machine.
_CLEAR = 1.10


def slow_inference(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Sentences on integers slower than floats, threads that cost time, and time spent on padding.

    Args:
        rows: as `potstill.bench.race.Race.run` gives.
    """
    times = {(row["engine"], row["precision"], row["tokens"], row["threads"]): row["median_ms"] for row in rows}
    return [*_integers(times), *_threads(times), *_padding(rows)]


_Times = Mapping[tuple[str, str, int, int], float]


def _integers(times: _Times) -> list[str]:
    worst: tuple[float, str] | None = None
    for (engine, precision, tokens, threads), taken in times.items():
        plain = times.get((engine, "fp32", tokens, threads))
        if precision in ("int8", "int4") and plain is not None and taken > _CLEAR * plain:
            text = (
                f"{engine} {precision} is slower than fp32 on this host: {taken:.2f} and {plain:.2f} ms at {tokens} "
                f"tokens, {threads} thread{'s' * (threads > 1)}; this CPU's integer instructions do not help it there"
            )
            if worst is None or taken / plain > worst[0]:
                worst = (taken / plain, text)
    return [worst[1]] if worst else []


def _threads(times: _Times) -> list[str]:
    notes = []
    for (engine, precision, tokens, threads), taken in times.items():
        alone = times.get((engine, precision, tokens, 1))
        if engine == "Potstill" and threads > 1 and alone is not None and taken > _CLEAR * alone:
            notes.append(
                f"{engine} {precision} is slower with {threads} threads than with one at {tokens} tokens ({taken:.2f} "
                f"and {alone:.2f} ms): use threads=1 for such texts, or one model a core for throughput"
            )
    return notes[:1]


def _padding(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    padded = [row for row in rows if row["padded_to"] >= 2 * row["tokens"]]
    if not padded:
        return []
    row = max(padded, key=lambda row: row["padded_to"] / row["tokens"])
    return [
        f"{row['engine']} {row['precision']} computes {row['padded_to']} tokens for a text of {row['tokens']}: most of "
        f"its {row['median_ms']:.2f} ms goes into padding; a shorter compile.max_tokens helps, .still files never pad"
    ]
