"""`potstill doctor`: what this machine lacks, and whether a model fits a board."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from potstill.commands import Command, between, milliseconds, print_json, size
from potstill.errors import EXIT_FAILED

if TYPE_CHECKING:
    from potstill.doctor.model import Reader


def doctor(args: argparse.Namespace, read: Reader | None = None) -> int:
    """Print every check; `read` reads subjects that are not ``.still`` files."""
    from potstill.boards import board
    from potstill.doctor import check, examine
    from potstill.doctor.model import Limits

    checks = examine(
        args.subject,
        board(args.board) if args.board else None,
        role=args.role,
        limits=Limits(args.max_ms, args.max_bytes, args.max_ram),
        tokens=args.tokens,
        threads=args.threads,
        out=Path(args.out) if args.out else None,
        read=read,
    )
    if args.json:
        print_json(check.as_data(checks))
    else:
        print(check.render(checks, colour=sys.stdout.isatty() and "NO_COLOR" not in os.environ))
    return EXIT_FAILED if check.count(checks, check.Status.FAILURE) else 0


def add(command: Command) -> None:
    """Register it."""
    register(command, doctor, "MODEL", "a .still file")


def register(
    command: Command, handler: Callable[[argparse.Namespace], int], name: str, subject: str, *examples: str
) -> None:
    """Register it for the subjects that `handler` can read."""
    parser = command(
        "doctor",
        handler,
        "Show what this machine lacks, and whether a model or recipe fits a board, before anything is built.",
        "potstill doctor",
        "potstill doctor --board pi4 build/sentiment/model.still --max-ms 10",
        *examples,
    )
    parser.add_argument("subject", nargs="?", metavar=name, help=subject)
    parser.add_argument("--board", metavar="NAME", help="where it is to run (default: this board, if it is one)")
    parser.add_argument("--role", choices=("host", "device"), help="what this machine does (default: device on a Pi)")
    parser.add_argument("--max-ms", type=milliseconds, metavar="MS", help="time allowed for a text of --tokens")
    parser.add_argument("--max-bytes", type=size, metavar="SIZE", help="file size allowed, such as 4MB")
    parser.add_argument("--max-ram", type=size, metavar="SIZE", help="memory allowed, such as 64MB")
    parser.add_argument("--tokens", type=between(1, 8192), help="tokens of a text (default: the model's limit)")
    parser.add_argument("--threads", type=between(1, 256), default=1, help="threads for the predicted time (default 1)")
    parser.add_argument("--out", help="folder a build would write to")
    parser.add_argument("--json", action="store_true", help="verdict, counts and every check as one JSON object")
