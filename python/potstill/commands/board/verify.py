"""`potstill verify`: every check of the loader."""

from __future__ import annotations

import argparse
from pathlib import Path

from potstill.commands import Command


def _verify(args: argparse.Namespace) -> int:
    import potstill

    for path in args.models:
        info = potstill.load(path).info
        print(f"ok  {path}  {Path(path).stat().st_size:,} bytes, scheme {info['scheme']}, every check passed")
    return 0


def add(command: Command) -> None:
    """Register it."""
    verify = command(
        "verify", _verify, "Check .still files: checksums, structure, every index.", "potstill verify model.still"
    )
    verify.add_argument("models", nargs="+")
