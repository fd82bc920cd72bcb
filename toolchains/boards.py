"""The boards of boards.toml for cross building: `potstill.boards`, and that a toolchain file stands behind each."""

from __future__ import annotations

from pathlib import Path

from potstill.boards import Board, System, Target, glibc_version
from potstill.boards import board as _board
from potstill.boards import load_boards as _load
from toolchains.failures import PROJECT, build_error

__all__ = ["BOARDS_FILE", "Board", "System", "Target", "board", "glibc_version", "load_boards"]

BOARDS_FILE = PROJECT / "toolchains" / "boards.toml"


def load_boards(*paths: Path) -> dict[str, Board]:
    """`potstill.boards.load_boards`.

    Raises:
        BuildError: B003 as there, and for a target whose toolchain file is not in toolchains/cmake/.
    """
    known = _load(*paths)
    for entry in known.values():
        _check_toolchain(entry)
    return known


def _check_toolchain(entry: Board) -> None:
    if not (PROJECT / "toolchains" / "cmake" / entry.target.toolchain).is_file():
        where = f"targets.{entry.target.name}.toolchain"
        raise build_error(
            "B003", f"no file {entry.target.toolchain} in toolchains/cmake/", where, "name one that is there"
        )


def board(name: str, *paths: Path) -> Board:
    """The board called `name`.

    Raises:
        BuildError: B002 for an unknown name, B003 as `load_boards`.
    """
    entry = _board(name, *paths)
    _check_toolchain(entry)
    return entry
