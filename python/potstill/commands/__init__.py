"""The `potstill` command: one file a subcommand, in `board/` or `host/`; what they share is here, and light.

To add one: a file with ``add(command)``, and its name in a list below.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Protocol

from potstill.work.wheel import builds_models

# In the order of the help. The first are not in a board's wheel; `doctor` is in both, and reads more in the whole one.
BUILD_COMMANDS = ("build", "search", "seeds", "report", "sensitivity", "recipe", "compile", "export")
BOARD_COMMANDS = ("run", "inspect", "verify", "bench", "doctor", "explain")


def parts() -> list[ModuleType]:
    """The modules with the commands of this wheel, one each."""
    names = (*(BUILD_COMMANDS if builds_models() else ()), *BOARD_COMMANDS)
    return [_module(name) for name in names]


def _module(name: str) -> ModuleType:
    host, board = (f"{__name__}.{folder}.{name}" for folder in ("host", "board"))
    return import_module(host if builds_models() and find_spec(host) else board)


class Command(Protocol):
    """Adds a subcommand: name, handler, summary, examples."""

    def __call__(self, name: str, handler: Any, summary: str, *examples: str) -> argparse.ArgumentParser:
        """The subcommand's parser."""


def add_build_options(parser: argparse.ArgumentParser, printed: str) -> None:
    """The options of every command that builds recipes; `printed` is what --json prints."""
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE",
        help="override a key, or take it out (KEY=); repeatable",
    )  # fmt: skip
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.add_argument("--json", action="store_true", help=f"print {printed} as JSON instead of the table")


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def numbers(text: str) -> tuple[int, ...]:
    try:
        values = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of whole numbers such as 16,64") from None
    if not values or min(values) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: every number must be at least 1")
    return values


def between(low: int, high: int) -> Callable[[str], int]:
    """The type of an option that takes a whole number within limits."""

    def number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low} to {high}")
        return value

    return number


def milliseconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of milliseconds over 0")
    return value


def size(text: str) -> int:
    from potstill.units import parse_bytes

    try:
        return parse_bytes(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())
