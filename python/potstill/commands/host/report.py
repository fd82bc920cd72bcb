"""`potstill report`: a build's table and page."""

from __future__ import annotations

import argparse
from pathlib import Path

from potstill.commands import Command, print_json


def _report(args: argparse.Namespace) -> int:
    from potstill.pipeline.report.collect import collect
    from potstill.pipeline.report.html import write_html
    from potstill.pipeline.report.table import render

    out = Path(args.dir)
    if args.json:
        print_json(collect(out))
    else:
        print(render(out))
        print(f"\nreport: {write_html(out)}")
    return 0


def add(command: Command) -> None:
    """Register it."""
    report = command(
        "report", _report, "Print a build's table and write its HTML page.", "potstill report build/sentiment"
    )
    report.add_argument("dir")
    report.add_argument("--json", action="store_true")
