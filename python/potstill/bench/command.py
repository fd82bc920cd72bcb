"""What `potstill bench` does with its arguments."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from potstill.commands import builds_models, existing
from potstill.errors import InputError
from potstill.pipeline.atomic import write_json
from potstill.pipeline.progress import make_progress

_INTERRUPTED = 130
_PEERS_ONLY = ("only", "quick", "student", "png")
_WORKER_SENTENCES = 32


def run_bench(args: Namespace) -> int:
    """Measure, print, and write what was asked for; 130 when the user interrupted, after printing what there is.

    Raises:
        InputError: I067 options that do not go together, I069 no model named where none can be made; else as the
            measurements.
    """
    given = [f"--{name}" for name in _PEERS_ONLY if getattr(args, name)]
    if args.only and args.board:
        given.remove("--only")
    if given and not args.peers:
        raise InputError("I067", f"{given[0]} belongs to --peers", "potstill bench", f"add --peers or drop {given[0]}")
    if args.trace and not args.profile:
        raise InputError("I067", "--trace belongs to --profile", "potstill bench", "add --profile or drop --trace")
    if args.profile and (args.peers or args.workers):
        raise InputError("I067", "--profile runs alone", "potstill bench", "drop --peers and --workers, or --profile")
    if args.workers and (args.peers or args.lengths or args.threads):
        raise InputError(
            "I067", "--workers runs alone", "potstill bench", "drop --peers, --lengths and --threads, or --workers"
        )
    if args.article and not args.board:
        raise InputError("I067", "--article belongs to --board", "potstill bench", "add --board pi4 or drop --article")
    for name in ("board", "energy"):
        others = [other for other in ("board", "energy", "peers", "workers", "profile") if other != name]
        if getattr(args, name) and any(getattr(args, other) for other in others):
            raise InputError("I067", f"--{name} runs alone", "potstill bench", f"drop --{', --'.join(others)}")
    if args.model is None and not builds_models():
        raise InputError("I069", "a board's wheel makes no model of its own", "potstill bench", "name a .still file")
    if args.texts:
        existing(args.texts, "name a text file, one sentence a line")
    if args.student:
        existing(args.student, "name the folder of the model's student", folder=True)
    progress = make_progress()
    if args.board:
        return _predict(args, progress)
    if args.peers:
        return _peers(args, progress)
    still = Path(args.model) if args.model else _common(progress)
    rows: Any
    if args.profile:
        from potstill.bench.profile import format_profile, profile_still

        trace = Path(args.trace) if args.trace else None
        rows = profile_still(still, lengths=args.lengths, threads=args.threads or (1,), trace=trace)
        text = format_profile(rows)
        if trace is not None:
            progress.message(f"trace: {trace}, to be opened in ui.perfetto.dev")
    elif args.energy:
        from potstill.bench.energy import bench_energy, format_energy

        rows = bench_energy(still, args.lengths, args.threads or (1,), progress)
        _show(rows, format_energy(rows), args.json)
        return _INTERRUPTED if rows["interrupted"] else 0
    elif args.workers:
        from potstill.bench.scaling import bench_workers, format_workers

        rows = bench_workers(still, _real(still, args, progress), args.workers, progress=progress)
        text = format_workers(rows)
    else:
        from potstill.bench.measure import bench_still, format_rows

        rows = bench_still(still, args.lengths, args.threads or (1,), progress=progress)
        text = format_rows(rows)
    _show(rows, text, args.json)
    return 0


def _peers(args: Namespace, progress: Any) -> int:
    from potstill.bench import versus
    from potstill.bench.run import bench_peers
    from potstill.bench.show import table

    result = bench_peers(
        Path(args.model) if args.model else None,
        lengths=args.lengths or ((16, 64) if args.quick else versus.LENGTHS),
        threads=args.threads or ((1,) if args.quick else versus.THREADS),
        quick=args.quick,
        only=args.only,
        student=Path(args.student) if args.student else None,
        texts=Path(args.texts) if args.texts else None,
        seed=args.seed,
        progress=progress,
    )
    _show(result, table(result), args.json)
    if args.png:
        from potstill.bench.plot import write_png

        progress.message(f"picture: {write_png(result, Path(args.png))}")
    return _INTERRUPTED if result["interrupted"] else 0


def _predict(args: Namespace, progress: Any) -> int:
    from potstill.bench.predict import show
    from potstill.bench.predict.article import article
    from potstill.boards import board

    boards = [board(name) for name in args.board]
    still = Path(args.model) if args.model else _common(progress)
    rows = show.predictions(still, boards, args.lengths, args.threads, args.only or show.ENGINES)
    seen = show.measured(still, rows)
    text = show.table(still, rows, boards, seen)
    if args.article:
        text = "\n\n".join([*(article(still, entry) for entry in boards), text])
    _show(show.data(rows, seen), text, args.json)
    return 0


def _common(progress: Any) -> Path:
    from potstill.bench.common_student import common_student
    from potstill.cache import cache_dir

    return common_student(cache_dir(), progress)


def _real(still: Path, args: Namespace, progress: Any) -> list[list[int]]:
    from potstill.bench import sentences
    from potstill.runtime.backends import open_backend

    info = open_backend("native", still, 1).info
    found = sentences.real(
        still,
        count=_WORKER_SENTENCES,
        max_tokens=int(info["max_tokens"]),
        vocabulary=int(info["vocabulary"]),
        texts=Path(args.texts) if args.texts else None,
        progress=progress,
    )
    progress.message(f"real lengths: {len(found.ids)} of {found.origin}")
    return sentences.shuffled(found.ids)


def _show(value: Any, text: str, target: str | None) -> None:
    """The table on standard output; the figures to the file, or instead of the table when the file is ``-``."""
    if target == "-":
        json.dump(value, sys.stdout, indent=2, ensure_ascii=False)
        print()
        return
    print(text)
    if target:
        write_json(Path(target), value)
