"""`potstill bench`: time, energy and predictions of a model, alone or against other engines."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from potstill.commands import Command, numbers, print_json, words
from potstill.errors import InputError, not_in_this_wheel
from potstill.paths import existing
from potstill.work.atomic import write_json
from potstill.work.progress import make_progress
from potstill.work.wheel import builds_models

if TYPE_CHECKING:
    from potstill.work.progress import Progress

_INTERRUPTED = 130
# Ways to measure, one at a time; without any, the model alone. Options that belong to some of them only.
_WAYS = ("board", "energy", "profile", "peers")
_BELONGS = {
    "only": ("peers", "board"), "quick": ("peers",), "student": ("peers",), "png": ("peers",), "trace": ("profile",),
}  # fmt: skip
_Shown = tuple[Any, str]


def run_bench(args: argparse.Namespace) -> int:
    """Measure, print, and write what was asked for; 130 when the user interrupted, after printing what there is.

    Raises:
        InputError: options that do not go together; no model named where none can be made; else as the
            measurements. SystemFailure: other engines with a board's wheel.
    """
    ways = _check(args)
    measure = {"board": _predict, "energy": _energy, "profile": _profile, "peers": _peers}[ways[0]] if ways else _alone
    found, text = measure(args, make_progress())
    if args.json == "-":
        print_json(found)
    else:
        print(text)
        if args.json:
            write_json(Path(args.json), found)
    return _INTERRUPTED if isinstance(found, dict) and found.get("interrupted") else 0


def _check(args: argparse.Namespace) -> list[str]:
    """The way to measure that was asked for, if any.

    Raises:
        InputError: options that do not go together; a file that does not exist.
    """
    ways = [way for way in _WAYS if getattr(args, way)]
    if len(ways) > 1:
        raise InputError("I067", f"--{ways[0]} runs alone", "potstill bench", f"drop --{', --'.join(ways[1:])}")
    for option, owners in _BELONGS.items():
        if getattr(args, option) and not set(ways) & set(owners):
            owner = f"--{owners[0]}"
            step = f"add {owner} or drop --{option}"
            raise InputError("I067", f"--{option} belongs to {owner}", "potstill bench", step)
    if args.model is None and not builds_models():
        raise InputError("I069", "a board's wheel makes no model of its own", "potstill bench", "name a .still file")
    if args.texts:
        existing(args.texts, "name a text file, one sentence a line")
    if args.student:
        existing(args.student, "name the folder of the model's student", folder=True)
    return ways


def _alone(args: argparse.Namespace, progress: Progress) -> _Shown:
    from potstill.bench.measure import bench_still, format_rows

    rows = bench_still(_model(args, progress), args.lengths, args.threads or (1,), progress)
    return rows, format_rows(rows)


def _energy(args: argparse.Namespace, progress: Progress) -> _Shown:
    from potstill.bench.energy import bench_energy, format_energy

    found = bench_energy(_model(args, progress), args.lengths, args.threads or (1,), progress)
    return found, format_energy(found)


def _profile(args: argparse.Namespace, progress: Progress) -> _Shown:
    from potstill.bench.profile import format_profile, profile_still

    trace = Path(args.trace) if args.trace else None
    rows = profile_still(_model(args, progress), lengths=args.lengths, threads=args.threads or (1,), trace=trace)
    if trace is not None:
        progress.message(f"trace: {trace}, for ui.perfetto.dev")
    return rows, format_profile(rows)


def _peers(args: argparse.Namespace, progress: Progress) -> _Shown:
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
    if args.png:
        from potstill.compare.plot import write_png

        progress.message(f"picture: {write_png(result, Path(args.png))}")
    return result, table(result)


def _predict(args: argparse.Namespace, progress: Progress) -> _Shown:
    from potstill.bench.predict import show
    from potstill.boards import board

    boards = [board(name) for name in args.board]
    still = _model(args, progress)
    rows = show.predictions(still, boards, args.lengths, args.threads, args.only or show.ENGINES)
    seen = show.measured(still, rows)
    return show.data(rows, seen), show.table(still, rows, boards, seen)


def _model(args: argparse.Namespace, progress: Progress) -> Path:
    """The model named, else the common student."""
    if args.model:
        return Path(args.model)
    from potstill.compare.common_student import common_student
    from potstill.work.cache import cache_dir

    return common_student(cache_dir(), progress)


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
        "one of your own) instead of measuring; on such a board do both",
    )
    bench.add_argument(
        "--only", type=words, default=(), metavar="NAME,...", help="with --peers or --board: these engines only"
    )
    bench.add_argument("--quick", action="store_true", help="with --peers: 1 thread, 16 and 64 tokens, few rounds")
    bench.add_argument("--student", metavar="DIR", help="classifier folder of the model (default: student/ beside it)")
    bench.add_argument("--texts", metavar="FILE", help="real sentences, one a line, instead of the demo's test set")
    bench.add_argument("--seed", type=int, default=0, help="seed of the order of turns (default 0)")
    bench.add_argument("--png", metavar="FILE", help="with --peers: also draw it")
    bench.add_argument("--profile", action="store_true", help="time, work and share of the core's peak of each op")
    bench.add_argument("--trace", metavar="FILE", help="with --profile: also a trace for ui.perfetto.dev")
    bench.add_argument(
        "--energy", action="store_true", help="millijoules an inference by this machine's power meters (20 s a case)"
    )
    bench.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="write the figures to FILE, or print them, not the table"
    )
