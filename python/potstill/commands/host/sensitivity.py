"""`potstill sensitivity`: what int8 and int4 cost in each layer."""

from __future__ import annotations

import argparse
from pathlib import Path

from potstill.commands import Command, between, print_json


def _sensitivity(args: argparse.Namespace) -> int:
    from potstill.pipeline.rounding import sensitivity_of_build
    from potstill.quantize.sensitivity import render
    from potstill.work.progress import make_progress

    table = sensitivity_of_build(Path(args.dir), rows=args.rows, progress=make_progress(quiet=args.json))
    if args.json:
        print_json(table)
    else:
        print(render(table))
    return 0


def add(command: Command) -> None:
    """Register it."""
    sensitivity = command(
        "sensitivity",
        _sensitivity,
        "Show what int8 and int4 cost in each layer of a build's student, on its validation texts.",
        "potstill sensitivity build/sentiment",
        "potstill sensitivity build/sentiment --json > table.json",
    )
    sensitivity.add_argument("dir", help="the folder of a finished build")
    sensitivity.add_argument(
        "--rows", type=between(1, 1 << 20), default=512, help="validation texts at most (default 512)"
    )
    sensitivity.add_argument("--json", action="store_true", help="the table as JSON, for compile --sensitivity")
