"""`potstill doctor` where models are made: it reads ONNX files and recipes as well."""

from __future__ import annotations

import argparse

from potstill.commands import Command
from potstill.commands.board import doctor as board


def _doctor(args: argparse.Namespace) -> int:
    from potstill.pipeline.check.shape import read_shape

    return board.doctor(args, read_shape)


def add(command: Command) -> None:
    """Register it."""
    example = "potstill doctor --board zero2w my.toml --max-bytes 4MB --tokens 32 --threads 4"
    board.register(command, _doctor, "MODEL|RECIPE", "a .still or .onnx file, or a recipe", example)
