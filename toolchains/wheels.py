"""Building, repairing and auditing wheels, for this machine and for the boards.

One wheel is built once per state of the sources: its name and the sources' hash are kept beside it, and a second call
is a hash and a look (0.1 s). CMake's build folder is kept as well, so a changed file recompiles alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from toolchains import boards
from toolchains.failures import PROJECT, build_error

WORK = PROJECT / ".cache" / "wheels"
DIST = PROJECT / "dist"
_SOURCES = ("pyproject.toml", "CMakeLists.txt", "README.md", "LICENSE", "cpp", "python", "toolchains")

Run = Callable[..., object]


@dataclass(frozen=True)
class Goal:
    """One wheel to build: `root` and `board` are None for this machine's own."""

    name: str
    target: boards.Target
    python: str
    glibc: str
    board: boards.Board | None = None

    @property
    def folder(self) -> Path:
        """Where this goal's build files and stamp are."""
        return WORK / (self.name if self.board is not None else f"{self.name}-{self.tag}")

    @property
    def tag(self) -> str:
        """Python part of the wheel's name: ``cp311``."""
        return "cp" + self.python.replace(".", "")


def host_goal() -> Goal:
    """The wheel of the machine and Python that run this."""
    machine = platform.machine()
    known = boards.load_boards()
    same = {board.target.name: board.target for board in known.values()}.get(machine)
    target = same or boards.Target(
        "x86_64", "x86_64-linux-gnu", "", "amd64", "x86_64", "qemu-x86_64", "EM_X86_64", 64, 4096, ()
    )
    libc = platform.libc_ver()[1] or "2.36"
    return Goal("host", target, f"{sys.version_info[0]}.{sys.version_info[1]}", ".".join(libc.split(".")[:2]))


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


def _source_files(base: Path) -> Iterator[Path]:
    for name in _SOURCES:
        path = base / name
        if path.is_file():
            yield path
        for inner in sorted(path.rglob("*")) if path.is_dir() else ():
            parts = set(inner.relative_to(base).parts)
            generated = inner.suffix in {".so", ".pyc"} or inner.name == "_still_fb.py"
            unrelated = name == "cpp" and bool(parts & {"tests", "bench"})
            unrelated |= name == "toolchains" and inner.suffix not in (".cmake", ".toml")
            if inner.is_file() and not (generated or unrelated or "__pycache__" in parts):
                yield inner


def source_hash(base: Path = PROJECT) -> str:
    """Hash of everything a wheel is made from: names and contents, not times."""
    digest = hashlib.sha256()
    for path in _source_files(base):
        digest.update(path.relative_to(base).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _stamp(goal: Goal) -> Path:
    return goal.folder / "wheel.json"


def built(goal: Goal, state: str | None = None) -> Path | None:
    """The finished wheel of `goal` if it is up to date with the sources (hash `state`), else None."""
    try:
        stamp = json.loads(_stamp(goal).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    wheel = DIST / stamp["wheel"]
    if stamp["sources"] != (state or source_hash()) or not wheel.is_file():
        return None
    return wheel if hashlib.sha256(wheel.read_bytes()).hexdigest() == stamp["sha256"] else None


def build_environment(goal: Goal, root: Path | None) -> dict[str, str]:
    """Variables that pyproject.toml's overrides and toolchains/*.cmake read."""
    if goal.board is None or root is None:
        return {}
    return {"POTSTILL_TARGET": goal.target.name, "POTSTILL_ROOT": str(root), "POTSTILL_PYTHON": goal.python}


def build(goal: Goal, root: Path | None, run: Run, say: Callable[[str], None]) -> Path:
    """Build, repair and audit the wheel of `goal`, unless it is there already.

    Args:
        goal: what to build.
        root: the unpacked target root of a cross build (toolchains/sysroot.py).
        run: runs a command, ``run(*command, env=...)``, in an environment with the dependency group ``wheel``;
            raises when it fails.
        say: prints progress.

    Returns:
        The wheel in dist/.

    Raises:
        BuildError: B009 when the build or repair gave no single wheel.
    """
    state = source_hash()
    if wheel := built(goal, state):
        say(f"wheel up to date: {wheel.name}")
        return wheel
    fresh = goal.folder / "fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    _stamp(goal).unlink(missing_ok=True)
    objects = goal.folder / "build"
    command = ["python", "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(fresh)]
    command += ["-C", f"build-dir={objects}"]
    if goal.board is not None:
        command += ["-C", f"wheel.tags={goal.tag}-{goal.tag}-linux_{goal.target.wheel}"]
    run(*command, str(PROJECT), env=build_environment(goal, root))
    raw = _only_wheel(fresh)
    if sys.platform != "linux":
        finished = raw
        say(f"{raw.name}: not audited on {sys.platform}")
    else:
        repair = ["auditwheel", "repair", "-w", str(fresh / "repaired"), str(raw)]
        if goal.board is not None:
            repair[2:2] = ["--ldpaths", f"/usr/{goal.target.triple}/lib"]
        run(*repair, env={})
        finished = _only_wheel(fresh / "repaired")
        # In the session's environment, which has pyelftools; the one that runs nox may have nothing but nox.
        name = goal.board.name if goal.board is not None else "host"
        run("python", "-m", "toolchains.audit", name, str(finished), "--objects", str(objects), env={})
    return _publish(goal, finished, state)


def _only_wheel(folder: Path) -> Path:
    wheels = sorted(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise build_error(
            "B009", f"{len(wheels)} wheels instead of one", str(folder), "see the messages of the build above"
        )
    return wheels[0]


def _publish(goal: Goal, wheel: Path, state: str) -> Path:
    """Move the wheel into dist/ by rename, remove this goal's former one, and leave the stamp last."""
    DIST.mkdir(exist_ok=True)
    final = DIST / wheel.name
    for former in DIST.glob(f"*-{goal.tag}-*{goal.target.wheel}.whl"):
        if former != final:
            former.unlink()
    partial = DIST / f".tmp-{os.getpid()}-{wheel.name}"
    shutil.copyfile(wheel, partial)
    partial.replace(final)
    content = {"wheel": final.name, "sources": state, "sha256": hashlib.sha256(final.read_bytes()).hexdigest()}
    temporary = goal.folder / ".tmp-wheel.json"
    temporary.write_text(json.dumps(content), encoding="utf-8")
    temporary.replace(_stamp(goal))
    return final
