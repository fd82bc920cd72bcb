"""What a build measures on its host: every engine that has a file, with its peak memory and load time."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from potstill.bench.measure import BUDGET_SECONDS, LENGTHS, ROUNDS, THREADS
from potstill.bench.race import Contender, Here, Race, all_measured, made_up
from potstill.compare.peers import PEERS
from potstill.compare.peers.pytorch import threads_kept
from potstill.compare.worker import Worker
from potstill.runtime.backends import open_backend

if TYPE_CHECKING:
    from potstill.work.progress import Progress


def bench_host(
    model_dir: Path,
    exports: Mapping[str, Path],
    *,
    max_tokens: int,
    scheme: str,
    progress: Progress,
    lengths: Iterable[int] = LENGTHS,
    threads: Sequence[int] = THREADS,
    rounds: int = ROUNDS,
    apart: bool = True,
) -> dict[str, list[dict[str, Any]]]:
    """Measure every engine that has a file.

    Args:
        model_dir: classifier folder for PyTorch.
        exports: file of each export, keys as in `potstill.export.parity.BACKENDS`; `still` is among them.
        max_tokens: lengths above it are cut to it.
        scheme: of the export `still`.
        progress: names the engines that cannot be measured.
        lengths: tokens of a sentence, specials included.
        threads: thread counts.
        rounds: rounds wanted of each length and thread count; a time budget may stop earlier.
        apart: each engine runs in a process of its own; else all run in this one, and memory is not measured.

    Returns:
        ``bench``: rows as `Race.run` gives; ``memory``: ``{engine, precision, tokens, peak_rss_bytes, load_ms}``, bytes
        after the first sentence, which is of the longest length.

    Raises:
        SystemFailure: not one engine could be loaded.
    """
    files = {**exports, "pytorch": model_dir}
    peers = [dataclasses.replace(peer, precision=scheme) if peer.export == "still" else peer for peer in PEERS]
    everyone = [Contender(peer, files[peer.export]) for peer in peers if peer.export in files]
    vocabulary = int(open_backend("native", exports["still"], 1).info["vocabulary"])
    # The longest first: peak memory is read when the first case has run.
    wanted = sorted({min(length, max_tokens) for length in lengths}, reverse=True)
    rows: list[dict[str, Any]] = []
    race = Race(threads, rounds, BUDGET_SECONDS, place=Worker if apart else Here)
    with nullcontext() if apart else threads_kept():
        race.run(everyone, made_up(wanted, vocabulary), rows, progress)
    all_measured(everyone, progress)
    memory = [
        {"engine": contender.peer.engine, "precision": contender.peer.precision, "tokens": wanted[0],
         **{key: contender.facts[key] for key in ("peak_rss_bytes", "load_ms")}}
        for contender in everyone
        if "peak_rss_bytes" in contender.facts and not contender.peer.option
    ]  # fmt: skip
    return {"bench": rows, "memory": memory}
