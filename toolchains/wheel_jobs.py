"""The nox sessions that make wheels, named after what boards.toml has: ``wheels(aarch64-cp313)``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from potstill.boards import builtin_file
from toolchains import boards, sysroot, tools, wheels
from toolchains.failures import PotstillError, build_error


def known_goals() -> dict[str, wheels.Goal]:
    """Every wheel by the word in its session's name, this machine's (``host``) first.

    For names of sessions: with an unreadable file of the user's own they are those of the built-in boards, and the
    session itself reports the mistake.
    """
    try:
        known = boards.load_boards()
    except PotstillError:
        known = boards.load_boards(builtin_file())
    return {"host": wheels.host_goal(), **wheels.board_goals(known)}


def asked_boards(words: Sequence[str]) -> list[str] | None:
    """The boards that ``--board`` or ``--boards`` names on nox's command line, None without such an option."""
    for word, following in pairwise([*words, ""]):
        name, _, value = word.partition("=")
        if name in ("--board", "--boards"):
            return [part for part in (value or following).split(",") if part]
    return None


def wheel_sessions(names: Iterable[str]) -> list[str]:
    """The sessions that make the wheels of the boards `names`, each once; unknown boards are left to their session."""
    found = set()
    for name in names:
        try:
            found.add(f"wheels({wheels.board_goal(boards.board(name)).name})")
        except PotstillError:
            continue
    return sorted(found)


def tools_of(name: str) -> tuple[str, ...]:
    """What the session of the wheel `name` needs from Debian packages."""
    return {"aarch64": tools.AARCH64, "armv7l": tools.ARMV7L}.get(name.partition("-")[0], tools.NATIVE)


def build_wheel(session: Any, name: str) -> Path:
    """Build the wheel called `name` (``host``, ``aarch64-cp311``) with the session's environment."""
    goal = wheels.host_goal() if name == "host" else wheels.board_goals(boards.load_boards())[name]
    root = sysroot.root_of(goal.board, session.log) if goal.board is not None else None
    return wheels.build(goal, root, session.run, session.log)


def may_be_left_out(name: str, error: Exception) -> bool:
    """Whether a wheel may be left out for `error`: the mirror does not give the packages (B006) of a system that is not
    its boards' first. 32-bit Debian 13 is often out of step on mirrors."""
    goal = wheels.board_goals(boards.load_boards()).get(name)
    if goal is None or goal.board is None or getattr(error, "code", "") not in ("B005", "B006"):
        return False
    return goal.board.name.endswith(f"-{goal.board.system.name}")


def _finished(goal: wheels.Goal) -> Path:
    wheel = wheels.built(goal)
    if wheel is None:
        raise build_error("B009", f"no current wheel for {goal.name}", "dist", f"run nox -s 'wheels({goal.name})'")
    return wheel


def finished(board: boards.Board) -> Path:
    """The wheel of `board`'s machine type and Python, which its session has made before."""
    return _finished(wheels.board_goal(board))


def host_wheel() -> Path:
    """This machine's wheel, which the session ``wheels(host)`` has made before."""
    return _finished(wheels.host_goal())


def audit(session: Any, names: Sequence[str]) -> None:
    """Audit wheels by their file names; all of dist/ when none is named.

    Raises:
        BuildError: B009 nothing to audit. A bad wheel ends the session with its problems (B008).
    """
    found = [Path(name) for name in names] or sorted(wheels.DIST.glob("*.whl"))
    absent = [str(path) for path in found if not path.is_file()]
    if absent or not found:
        raise build_error("B009", "no wheel to audit", ", ".join(absent) or str(wheels.DIST), "run nox -s wheels")
    session.run("python", "-m", "toolchains.audit", "auto", *map(str, found))
