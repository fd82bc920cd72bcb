"""What a build measures on its host: every engine that has a file, in this process, and each one's peak memory.

`potstill.compare.versus` gives each engine a process of its own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from potstill.bench.measure import LENGTHS, ROUNDS, THREADS, attempt, measure, or_quiet
from potstill.compare.peers import PEERS

if TYPE_CHECKING:
    from potstill.work.progress import Progress

# Length of the sentence after which peak memory is read, unless the model takes fewer tokens.
_MEMORY_TOKENS = 64


def bench_host(
    model_dir: Path | None,
    exports: Mapping[str, Path],
    *,
    max_tokens: int,
    vocabulary: int | None = None,
    progress: Progress | None = None,
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
        vocabulary: number of token ids; None to read it from a `.still` file among the exports.
        progress: a `potstill.work.progress.Progress`, or None.
        lengths: tokens of a sentence, specials included.
        threads: thread counts.
        rounds: rounds wanted of each length and thread count; a time budget may stop earlier.
        memory: also start each engine in a fresh process for its peak memory and load time.
        scheme: of the export `still`.

    Returns:
        ``bench``: rows as `measure` gives; ``memory``: rows as `potstill.bench.memory.measure_memory` gives.
    """
    progress = or_quiet(progress)
    files = {**exports, **({"pytorch": model_dir} if model_dir is not None else {})}
    peers = [
        (dataclasses.replace(peer, precision=scheme) if peer.export == "still" else peer, files[peer.export])
        for peer in PEERS
        if peer.export in files
    ]
    wanted = sorted({min(length, max_tokens) for length in lengths})
    vocabulary = vocabulary or _vocabulary(exports)
    rows = measure(
        peers, lengths=wanted, threads=tuple(threads), vocabulary=vocabulary, rounds=rounds, progress=progress
    )
    found: dict[str, list[dict[str, Any]]] = {"bench": rows, "memory": []}
    if memory:
        from potstill.bench.memory import measure_memory

        tokens = min(_MEMORY_TOKENS, max_tokens)
        with progress.task("memory", total=len(peers), unit="engines") as task:
            for peer, path in peers:
                if not peer.option:
                    work = partial(measure_memory, peer, path, tokens=tokens, vocabulary=vocabulary)
                    row = attempt(work, peer, progress)
                    found["memory"] += [row] if row is not None else []
                task.advance(1, note=peer.name)
    return found


def _vocabulary(exports: Mapping[str, Path]) -> int:
    """Token ids of the model, by a `.still` file; without one, 100: no vocabulary is smaller."""
    from potstill.runtime.backends import open_backend

    still = next((exports[key] for key in ("still", "still_fp32") if key in exports), None)
    return int(open_backend("native", still, 1).info["vocabulary"]) if still is not None else 100
