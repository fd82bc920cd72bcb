"""The nox sessions that make and audit wheels, named after what boards.toml has: ``wheels(aarch64-cp313)``."""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from potstill import boards
from potstill.errors import BuildError, PotstillError
from toolchains import tools
from toolchains.goals import DIST, WORK, Goal, board_goal, board_goals, host_goal
from toolchains.roots import sysroot
from toolchains.wheels import build as wheels
from toolchains.wheels.sources import copy_sources

# Machine type and system whose Debian packages a mirror may lack: Debian's own index of them did not fit its signed
# list for weeks on one. Without them the session says so and succeeds; every other wheel must be made.
MAY_BE_MISSING = {("armv7l", "trixie")}


def known_goals() -> dict[str, Goal]:
    """Every wheel by the word in its session's name, this machine's (``host``) first."""
    known = _boards()
    return {"host": host_goal(known), **board_goals(known)}


def _boards() -> dict[str, boards.Board]:
    """For names of sessions: with an unreadable file of the user's own only the built-in boards, and the session itself
    reports the mistake."""
    try:
        return boards.load_boards()
    except PotstillError:
        return boards.load_boards(boards.builtin_file())


def asked_boards(words: Sequence[str]) -> list[str] | None:
    """The boards that ``--board`` or ``--boards`` names on nox's command line, None without such an option."""
    for word, following in pairwise([*words, ""]):
        name, _, value = word.partition("=")
        if name in ("--board", "--boards"):
            return [part for part in (value or following).split(",") if part]
    return None


def wheel_sessions(words: Sequence[str] = (), default: Iterable[str] | None = None) -> list[str]:
    """The wheels, as sessions, that a session on emulated boards needs: this machine's and the boards'.

    Args:
        words: nox's command line, whose ``--board`` or ``--boards`` names the boards; unknown ones are left to the
            session to report.
        default: boards without that option; all if None.
    """
    known = _boards()
    asked = asked_boards(words)
    names = asked if asked is not None else known if default is None else default
    found = {f"wheels({board_goal(known[name]).name})" for name in names if name in known}
    return ["wheels(host)", *sorted(found)]


def _goal(name: str) -> Goal:
    known = boards.load_boards()
    return host_goal(known) if name == "host" else board_goals(known)[name]


def tools_of(name: str) -> tuple[str, ...]:
    """What the session of the wheel `name`, and running it on an emulated board, need from Debian packages."""
    goal = _goal(name)
    if goal.board is None:
        return tools.NATIVE
    needed = tools.for_board(goal.target)
    return tuple(tool for tool in needed if name != "host" or tool != goal.target.qemu)


def _missing(goal: Goal) -> Path:
    """Says why there is no wheel of `goal`, beside where its stamp would be."""
    return goal.folder / "missing.txt"


def build_wheel(session: Any, name: str) -> Path | None:
    """Build the wheel called `name` (``host``, ``aarch64-cp311``) with the session's environment.

    Returns:
        The wheel, or None where the target's Debian packages cannot be had and `MAY_BE_MISSING` allows it.
    """
    goal = _goal(name)
    root = None
    if goal.board is not None and wheels.built(goal) is None:
        try:
            root = sysroot.root_of(goal.board, session.log)
        except PotstillError as error:
            if error.code != "B006" or (goal.target.name, goal.board.system.name) not in MAY_BE_MISSING:
                raise
            goal.folder.mkdir(parents=True, exist_ok=True)
            _missing(goal).write_text(str(error), encoding="utf-8")
            session.warn(f"NO WHEEL {goal.name}: the mirror does not deliver the headers of its Python: {error}")
            return None
    _missing(goal).unlink(missing_ok=True)
    return wheels.build(goal, root, session.run, session.log)


def why_missing(board: boards.Board) -> str:
    """Why the session of `board`'s wheel succeeded without making one; empty if it made one or has not run."""
    file = _missing(board_goal(board))
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def _finished(goal: Goal) -> Path:
    wheel = wheels.built(goal)
    if wheel is None:
        reason = why_missing(goal.board) if goal.board else ""
        next_step = f"run nox -s 'wheels({goal.name if goal.board else 'host'})'"
        raise BuildError("B009", f"no current wheel for {goal.name}", "dist", f"{next_step}. {reason}".rstrip(". "))
    return wheel


def finished(board: boards.Board) -> Path:
    """The wheel of `board`'s machine type and Python, which its session has made before."""
    return _finished(board_goal(board))


def host_wheel() -> Path:
    """This machine's wheel, which the session ``wheels(host)`` has made before."""
    return _finished(host_goal())


def audit(session: Any, words: Sequence[str]) -> None:
    """Audit the wheel files among `words`, by default all in dist/; with ``--reproducible`` build each once more.

    Raises:
        BuildError: nothing to audit, or a wheel that is not of these sources; other bytes.
    """
    files = [Path(word) for word in words if not word.startswith("--")] or sorted(DIST.glob("*.whl"))
    if unknown := [word for word in words if word.startswith("--") and word != "--reproducible"]:
        raise BuildError("B016", f"unknown option {unknown[0]}", "audit", "use --reproducible and names of wheels")
    if absent := [str(file) for file in files if not file.is_file()] or ([] if files else ["dist/*.whl"]):
        raise BuildError("B009", "no such wheel", absent[0], "run nox -s wheels first")
    ours = {wheel: goal for goal in known_goals().values() if (wheel := wheels.built(goal))}
    for file in files:
        goal = ours.get(file.resolve())
        objects = ["--objects", str(goal.objects)] if goal and goal.objects.is_dir() else []
        session.run("python", "-m", "toolchains.audit.wheel", str(file), *objects, env={})
        if "--reproducible" in words:
            if goal is None:
                raise BuildError("B009", "not built from these sources", file.name, "run nox -s wheels first")
            _build_again(session, goal, file)


def _build_again(session: Any, goal: Goal, first: Path) -> None:
    """Another folder for sources and objects, later times, other file permissions: the same bytes, or a BuildError."""
    place = WORK / "again" / "in another place" / goal.name
    shutil.rmtree(place, ignore_errors=True)
    sources = copy_sources(place / "sources")
    root = sysroot.root_of(goal.board, session.log) if goal.board is not None else None
    mask = os.umask(0o077)
    try:
        second = wheels.make(goal, root, session.run, place / "fresh", place / "objects", sources)
    finally:
        os.umask(mask)
    if first.read_bytes() != second.read_bytes():
        different = ", ".join(_differences(first, second)) or "the order or the attributes of files inside"
        raise BuildError("B031", f"two builds differ: {different}", first.name, f"compare with {second}")
    session.log(f"{first.name}: built twice, the same bytes, sha256 {hashlib.sha256(first.read_bytes()).hexdigest()}")
    shutil.rmtree(place)


def _differences(first: Path, second: Path) -> list[str]:
    """Names of files that two wheels do not both have with the same bytes."""
    with zipfile.ZipFile(first) as one, zipfile.ZipFile(second) as two:
        contents = [{name: archive.read(name) for name in archive.namelist()} for archive in (one, two)]
    return sorted(name for name in contents[0].keys() | contents[1] if contents[0].get(name) != contents[1].get(name))
