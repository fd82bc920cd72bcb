"""`potstill bench --peers` from the model file to the result that table, JSON and picture are made of."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from potstill.bench.measure import those_that_fit
from potstill.bench.race import Race
from potstill.compare import exports, sentences, versus
from potstill.compare.agreement import check
from potstill.compare.worker import Worker
from potstill.errors import InputError

if TYPE_CHECKING:
    from potstill.work.progress import Progress


def bench_peers(
    still: Path | None,
    *,
    lengths: Sequence[int] = versus.LENGTHS,
    threads: Sequence[int] = versus.THREADS,
    quick: bool = False,
    only: Sequence[str] = (),
    student: Path | None = None,
    texts: Path | None = None,
    seed: int = 0,
    progress: Progress,
) -> dict[str, Any]:
    """Measure a model on every engine that is available.

    Args:
        still: the `.still` file, with its ONNX file beside it; None for the common student, made once.
        lengths: tokens of the made-up sentences; those above the model's limit are left out, with a message.
        threads: thread counts.
        quick: fewer rounds and real sentences.
        only: words that name the engines to measure beside the model itself; empty for all.
        student: classifier folder, default ``student/`` beside the model.
        texts: file with one real text a line, instead of the demo's test set.
        seed: of the order of turns.
        progress: a `potstill.work.progress.Progress`.

    Returns:
        ``{host, model, settings, contenders, rows, interrupted}``: contenders ``{engine, precision, version, settings,
        reason, load_ms, peak_rss_bytes, label_agreement, max_abs_difference, relative_difference, reference}`` with an
        empty reason when measured; rows as `potstill.bench.race.Race.run` gives.

    Raises:
        InputError: no length fits the model; no texts;
            no engine of that name; the model was compiled from another ONNX file than the one beside it; the
            model labels words.
        FormatError: the file is not a `.still`.
        SystemFailure: a package for making the common student is missing.
    """
    from potstill.runtime.backends import open_backend
    from potstill.work.cache import cache_dir

    cache = cache_dir()
    if still is None:
        from potstill.compare.common_student import common_student

        still = common_student(cache, progress)
    elif open_backend("native", still, 1).card.per_token:
        raise InputError(
            "I068", "engines are compared on models that label whole texts, this one labels words", str(still),
            "measure it alone: leave --peers out",
        )  # fmt: skip
    source = exports.find(still, (*versus.LITERT_LENGTHS, *lengths), cache, student)
    fitting = those_that_fit(lengths, source.max_tokens)
    if len(fitting) < len(set(lengths)):
        progress.message(f"the model takes {source.max_tokens} tokens: longer lengths are left out")
    effort = versus.QUICK if quick else versus.FULL
    real = sentences.real(
        still,
        count=effort.batched,
        max_tokens=source.max_tokens,
        vocabulary=source.vocabulary,
        texts=texts,
        progress=progress,
    )
    everyone = versus.contenders(source.scheme, only)
    if only and len(everyone) <= 2:
        raise InputError(
            "I064", f"no engine is called {' or '.join(only)}", "--only", "use words of the names in the table"
        )
    start = time.time()
    settings: dict[str, Any] = {
        "rounds": effort.rounds,
        "seconds_a_case": effort.seconds,
        "seed": seed,
        "threads": list(threads),
        "lengths": fitting,
        "real_sentences": len(real.ids),
        "real_one_by_one": effort.single,
        "real_tokens": sum(map(len, real.ids)),
        "real_longest": max(map(len, real.ids)),
        "real_origin": real.origin,
        "litert_lengths": list(source.lengths),
    }
    todo = versus.cases(fitting, real, source.vocabulary, effort.single)
    race = Race(threads, effort.rounds, effort.seconds, seed, Worker, check)
    rows, interrupted = versus.compare(source, everyone, todo, race, progress)
    return {
        "host": host(),
        "model": {
            "file": still.name,
            "scheme": source.scheme,
            "max_tokens": source.max_tokens,
            "vocabulary": source.vocabulary,
        },
        "settings": {**settings, "seconds": round(time.time() - start, 1)},
        "contenders": [
            {
                "engine": contender.peer.engine,
                "precision": contender.peer.precision,
                "settings": contender.peer.settings,
                "reason": contender.reason,
                **contender.facts,
            }
            for contender in everyone
        ],
        "rows": rows,
        "interrupted": interrupted,
    }


def host() -> dict[str, Any]:
    """CPU, cores this process may use, load before, system and Python: without which a figure is worth nothing."""
    name = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith(("model name", "Model")):
                name = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {
        "cpu": name,
        "machine": platform.machine(),
        "cores": cores,
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": platform.platform(),
        "python": platform.python_version(),
    }
