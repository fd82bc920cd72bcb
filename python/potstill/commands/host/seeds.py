"""`potstill seeds`: recipes under several seeds."""

from __future__ import annotations

import argparse
from pathlib import Path

from potstill.commands import Command, add_build_options, numbers, print_json


def _seeds(args: argparse.Namespace) -> int:
    from potstill.pipeline.report.seeds import render
    from potstill.pipeline.seeds import RESULT, run_seeds
    from potstill.work.progress import make_progress

    progress = make_progress(quiet=args.quiet)
    result = run_seeds(args.recipe, args.seeds, Path(args.out), overrides=args.set, progress=progress)
    if args.json:
        print_json(result)
    else:
        print(f"{render(result)}\n\nfigures of every build: {Path(args.out) / RESULT}")
    return 0


def add(command: Command) -> None:
    """Register it."""
    seeds = command(
        "seeds",
        _seeds,
        "Build recipes under several seeds (another split, teacher and student each): mean and spread. Resumable.",
        "potstill seeds sentiment topics --seeds 7,8,9",
        "potstill seeds sentiment 'sentiment compile.scheme=int8 quantize.qat_epochs=0'",
        "potstill seeds my.toml --seeds 1,2,3 --set student.layers=2 --json",
    )
    seeds.add_argument(
        "recipe", nargs="+", help="recipes, or in quotes one with KEY=VALUE ...; equal teachers are shared"
    )
    seeds.add_argument("--seeds", type=numbers, default=(7, 8, 9), metavar="N,...", help="seeds (default 7,8,9)")
    seeds.add_argument("--out", default="build/seeds", help="where results go (default build/seeds)")
    add_build_options(seeds, "every figure")
