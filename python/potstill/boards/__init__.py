"""Boards: what is known of each, from boards.toml and from files of the user's own.

    from potstill.boards import board
    board("pi4").clock_mhz          # 1800
    board("pi4-32-trixie").system   # 32-bit userland, Debian 13

Used on the build host (toolchains/), for predicted times (bench) and by the doctor; the runtime needs none of it.
"""

from __future__ import annotations

from potstill.boards.detect import model_name, release_name, this_board
from potstill.boards.kernel_sets import KernelSet, kernel_sets, sets_for
from potstill.boards.load import board, builtin_file, load_boards, user_files
from potstill.boards.schema import Board, CpuInfo, Memory, System, Target, glibc_version

__all__ = [
    "Board",
    "CpuInfo",
    "KernelSet",
    "Memory",
    "System",
    "Target",
    "board",
    "builtin_file",
    "glibc_version",
    "kernel_sets",
    "load_boards",
    "model_name",
    "release_name",
    "sets_for",
    "this_board",
    "user_files",
]
