"""Which wheels there are to build: one for this machine, one for each machine type and Python of boards.toml."""

from __future__ import annotations

import dataclasses
import platform
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from potstill import boards
from potstill.errors import BuildError
from toolchains import PROJECT

WORK = PROJECT / ".cache" / "wheels"
DIST = PROJECT / "dist"
# A PC's or server's: never a board, so not in boards.toml.
X86_64 = boards.Target(
    "x86_64", "x86_64-linux-gnu", "", "amd64", "x86_64", "qemu-x86_64", "EM_X86_64", 64, 4096, ()
)  # fmt: skip


@dataclass(frozen=True)
class Goal:
    """One wheel to build.

    Attributes:
        name: ``host`` or ``aarch64-cp311``; the session is ``wheels(NAME)``.
        python: of the target, ``3.11``.
        glibc: the C library of the oldest system it must run on.
        board: one of the boards it is for: its system's root has the headers. None for this machine's own.
    """

    name: str
    target: boards.Target
    python: str
    glibc: str
    board: boards.Board | None = None

    @property
    def tag(self) -> str:
        """Python part of the wheel's name: ``cp311``."""
        return "cp" + self.python.replace(".", "")

    @property
    def folder(self) -> Path:
        """Where this goal's stamp and unfinished wheels are."""
        return WORK / (self.name if self.board is not None else f"{self.name}-{self.tag}")

    @property
    def objects(self) -> Path:
        """CMake's build folder. The Pythons of a machine type share it: only the module differs, 1 file of 80."""
        return WORK / f"build-{self.target.name if self.board is not None else 'host'}"


def machine() -> str:
    """This machine's type as its programs see it: a 32-bit userland on a 64-bit kernel is ``armv7l``."""
    name = platform.machine()
    return "armv7l" if name == "aarch64" and sys.maxsize < 2**32 else name


def native(target: boards.Target) -> bool:
    """Whether this machine's own compiler makes code for `target`."""
    return target.wheel == machine()


def board_goal(board: boards.Board) -> Goal:
    """The wheel of `board`'s machine type and Python."""
    name = f"{board.target.name}-cp{board.system.python.replace('.', '')}"
    return Goal(name, board.target, board.system.python, board.system.glibc, board)


def board_goals(known: Mapping[str, boards.Board]) -> dict[str, Goal]:
    """The wheels that all boards `known` need, by name: one a machine type and Python. Where two systems share a
    Python the one with the older glibc sets the limit."""
    goals: dict[str, Goal] = {}
    for board in known.values():
        goal = board_goal(board)
        other = goals.setdefault(goal.name, goal)
        if boards.glibc_version(goal.glibc) < boards.glibc_version(other.glibc):
            goals[goal.name] = goal
    return goals


def host_goal(known: Mapping[str, boards.Board] | None = None) -> Goal:
    """The wheel of the machine and Python that run this; `known`: the boards, by default all.

    On a Pi, or another machine with a board's machine type and Python, it is the boards' wheel: the two would have
    one name in dist/, so they are one, built against the boards' system.
    """
    known = boards.load_boards() if known is None else known
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    same = {board.target.wheel: board.target for board in known.values()}.get(machine())
    if same is not None:
        goals = board_goals(known)
        if goal := goals.get(f"{same.name}-cp{python.replace('.', '')}"):
            return goal
    libc = platform.libc_ver()[1] or "2.36"
    target = same or dataclasses.replace(X86_64, name=machine(), wheel=machine())
    return Goal("host", target, python, ".".join(libc.split(".")[:2]))


def goal_of(wheel: Path) -> Goal:
    """What a wheel file says it is for, by its name.

    A Python that no board has gets the newest glibc of the machine type's boards as its limit; a PC's wheel none.

    Raises:
        BuildError: when the name is not that of a Linux wheel for a known machine type.
    """
    found = re.fullmatch(r"potstill-[^-]+-cp3(\d+)-cp3\d+t?-((?:many)?linux\w*(?:\.\w+)*)\.whl", wheel.name)
    known = boards.load_boards()
    targets = {"x86_64": X86_64, **{board.target.wheel: board.target for board in known.values()}}
    fitting = [target for target in targets.values() if found and found[2].endswith(f"_{target.wheel}")]
    if not found or not fitting:
        raise BuildError(
            "B036", "this is not the name of one of our Linux wheels", wheel.name,
            f"expected potstill-VERSION-cp311-cp311-PLATFORM.whl, PLATFORM one of {', '.join(sorted(targets))}",
        )  # fmt: skip
    target, python = fitting[0], f"3.{found[1]}"
    if goal := board_goals(known).get(f"{target.name}-cp3{found[1]}"):
        return goal
    limits = [board.system.glibc for board in known.values() if board.target == target]
    glibc = max(limits, key=boards.glibc_version, default="9.99")
    return Goal("host", target, python, glibc)
