"""Kernel sets whose instructions are counted, and where: sets.def and boards.toml put together."""

from __future__ import annotations

from potstill.bench.predict.predict import LIKE
from potstill.boards import Board, builtin_file, kernel_sets, load_boards

# What valgrind and qemu-x86_64 execute: neither has AVX-512.
_EMULATED_X86 = frozenset({"avx2", "fma"})


def x86_sets() -> list[str]:
    """Those of x86-64 that are emulated, best first."""
    return [row.name for row in kernel_sets() if row.machine == "x86_64" and row.needs <= _EMULATED_X86]


def arm_sets() -> list[str]:
    """Those of AArch64, slowest first."""
    return [row.name for row in reversed(kernel_sets()) if row.machine == "aarch64"]


def boards_of(kernels: str) -> list[Board]:
    """The boards that run an AArch64 set, one for each core that has a cost model of its own."""
    found: dict[str, Board] = {}
    for board in load_boards(builtin_file()).values():
        if kernels in board.kernels and board.target.bits == 64 and board.core not in LIKE:
            found.setdefault(board.core, board)
    return list(found.values())
