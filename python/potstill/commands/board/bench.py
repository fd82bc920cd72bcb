"""`potstill bench`: time, energy and predictions of a model, alone or against other engines."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from potstill.commands import Command, numbers, words
from potstill.errors import InputError, not_in_this_wheel
from potstill.paths import existing
from potstill.work.atomic import write_json
from potstill.work.progress import make_progress
from potstill.work.wheel import builds_models

if TYPE_CHECKING:
    from potstill.work.progress import Progress

_INTERRUPTED = 130
_PEERS_ONLY = ("only", "quick", "student", "png")


def run_bench(args: argparse.Namespace) -> int:
    """Measure, print, and write what was asked for; 130 when the user interrupted, after printing what there is.

    Raises:
        InputError: options that do not go together; no model named where none can be made; else as the
            measurements. SystemFailure: other engines with a board's wheel.
    """
    given = [f"--{name}" for name in _PEERS_ONLY if getattr(args, name)]
    if args.only and args.board:
        given.remove("--only")
    if given and not args.peers:
        raise InputError("I067", f"{given[0]} belongs to --peers", "potstill bench", f"add --peers or drop {given[0]}")
    if args.trace and not args.profile:
        raise InputError("I067", "--trace belongs to --profile", "potstill bench", "add --profile or drop --trace")
    if args.profile and args.peers:
        raise InputError("I067", "--profile runs alone", "potstill bench", "drop --peers or --profile")
    for name in ("board", "energy"):
        others = [other for other in ("board", "energy", "peers", "profile") if other != name]
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
    else:
        from potstill.bench.measure import bench_still, format_rows

        rows = bench_still(still, args.lengths, args.threads or (1,), progress)
        text = format_rows(rows)
    _show(rows, text, args.json)
    return 0


def _peers(args: argparse.Namespace, progress: Progress) -> int:
    if not builds_models():
        raise not_in_this_wheel("the comparison with other engines", "potstill bench --peers")
    from potstill.compare import versus
    from potstill.compare.comparison import bench_peers
    from potstill.compare.show import table

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
        from potstill.compare.plot import write_png

        progress.message(f"picture: {write_png(result, Path(args.png))}")
    return _INTERRUPTED if result["interrupted"] else 0


def _predict(args: argparse.Namespace, progress: Progress) -> int:
    from potstill.bench.predict import show
    from potstill.boards import board

    boards = [board(name) for name in args.board]
    still = Path(args.model) if args.model else _common(progress)
    rows = show.predictions(still, boards, args.lengths, args.threads, args.only or show.ENGINES)
    seen = show.measured(still, rows)
    text = show.table(still, rows, boards, seen)
    _show(show.data(rows, seen), text, args.json)
    return 0


def _common(progress: Progress) -> Path:
    from potstill.compare.common_student import common_student
    from potstill.work.cache import cache_dir

    return common_student(cache_dir(), progress)


def _show(value: Any, text: str, target: str | None) -> None:
    """The table on standard output; the figures to the file, or instead of the table when the file is ``-``."""
    if target == "-":
        json.dump(value, sys.stdout, indent=2, ensure_ascii=False)
        print()
        return
    print(text)
    if target:
        write_json(Path(target), value)


def add(command: Command) -> None:
    """Register it."""
    whole = builds_models()
    bench = command(
        "bench",
        run_bench,
        "Measure a model on this machine: median and spread, interleaved rounds.",
        "potstill bench build/sentiment/model.still --lengths 16,64 --threads 1,2",
        "potstill bench build/sentiment/model.still --peers --json peers.json --png peers.png",
        *(("potstill bench --peers --quick --only onnxruntime,litert",) if whole else ()),
        "potstill bench build/sentiment/model.still --board pi4,pi5 --lengths 16,64 --threads 1,4",
        "potstill bench build/sentiment/model.still --profile --lengths 32 --threads 2 --trace trace.json",
        "potstill bench build/sentiment/model.still --energy --lengths 16,64",
    )
    default = " (default: a random BERT 4 x 312, made once)"
    bench.add_argument("model", nargs="?", help=f"a .still file{default if whole else ''}")
    bench.add_argument(
        "--lengths", type=numbers, metavar="N,...", help="tokens (default 16,64; with --peers 8,16,32,64,128)"
    )
    bench.add_argument("--threads", type=numbers, metavar="N,...", help="thread counts (default 1; with --peers 1,2)")
    bench.add_argument(
        "--peers",
        action="store_true",
        help="also PyTorch, onnxruntime, LiteRT, CTranslate2, OpenVINO, ExecuTorch, on the same weights and on the "
        "real lengths of the demo's test set; the ONNX file and student/ must lie beside the model",
    )
    bench.add_argument(
        "--board",
        type=words,
        default=(),
        metavar="NAME,...",
        help="predict milliseconds of Potstill, onnxruntime and LiteRT on these boards (pi3, zero2w, pi4, pi5, pi2, or "
        "one of your own) instead; on such a board also measure",
    )
    bench.add_argument(
        "--only", type=words, default=(), metavar="NAME,...", help="with --peers or --board: these engines only"
    )
    bench.add_argument("--quick", action="store_true", help="with --peers: 1 thread, 16 and 64 tokens, few rounds")
    bench.add_argument("--student", metavar="DIR", help="classifier folder of the model (default: student/ beside it)")
    bench.add_argument("--texts", metavar="FILE", help="real sentences, one a line, instead of the demo's test set")
    bench.add_argument("--seed", type=int, default=0, help="of the order of turns (default 0)")
    bench.add_argument("--png", metavar="FILE", help="with --peers: also draw it")
    bench.add_argument("--profile", action="store_true", help="time, work and share of the core's peak of each op")
    bench.add_argument("--trace", metavar="FILE", help="with --profile: also a trace for ui.perfetto.dev")
    bench.add_argument(
        "--energy", action="store_true", help="millijoules an inference by this machine's power meters (20 s a case)"
    )
    bench.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="write the figures to FILE, or print them, not the table"
    )
