"""Building, repairing and auditing wheels, for this machine and for the boards.

One wheel is built once per state of the sources: its name and the sources' hash are kept beside it, and a second call
only compares them (0.1 s). CMake's build folder is kept as well, one for all Pythons of a machine type, so that a
changed file, or the next Python's module, compiles alone.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from potstill.errors import BuildError
from potstill.work.atomic import publish_file
from toolchains import PROJECT
from toolchains.digests import digest
from toolchains.goals import DIST, Goal, native
from toolchains.programs import Run
from toolchains.wheels.sources import source_hash

EPOCH = "315532800"  # 1980-01-01, the first day a zip file can name: file times inside wheels


def _stamp(goal: Goal) -> Path:
    return goal.folder / "wheel.txt"


def built(goal: Goal, state: str | None = None) -> Path | None:
    """The finished wheel of `goal` if it is up to date with the sources (hash `state`), else None."""
    try:
        name, sources, bytes_inside = _stamp(goal).read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return None
    wheel = DIST / name
    current = sources == (state or source_hash()) and wheel.is_file() and digest(wheel) == bytes_inside
    return wheel if current else None


def build_environment(goal: Goal, root: Path | None) -> dict[str, str]:
    """Variables that pyproject.toml's overrides and toolchains/cmake/*.cmake read."""
    common = {"SOURCE_DATE_EPOCH": os.environ.get("SOURCE_DATE_EPOCH", EPOCH)}
    if goal.board is None or root is None:
        return common
    return {
        **common, "POTSTILL_TARGET": goal.target.name, "POTSTILL_ROOT": str(root), "POTSTILL_PYTHON": goal.python,
        # On a machine of the board's own type it is the host's wheel as well, and has to build models.
        **({} if native(goal.target) else {"POTSTILL_WHEEL": "board"}),
    }  # fmt: skip


def make(goal: Goal, root: Path | None, run: Run, folder: Path, objects: Path, sources: Path = PROJECT) -> Path:
    """Build and repair the wheel of `goal` in `folder`, which is emptied first.

    Args:
        goal, root, run: as in `build`.
        folder: for the wheels made on the way and the finished one.
        objects: CMake's build folder; what fits is used again.
        sources: the tree to build.

    Returns:
        The finished wheel.

    Raises:
        BuildError: when the build or repair gave no single wheel.
    """
    shutil.rmtree(folder, ignore_errors=True)
    command = ["python", "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    command += ["-C", f"build-dir={objects}"]
    if goal.board is not None:
        command += ["-C", f"wheel.tags={goal.tag}-{goal.tag}-linux_{goal.target.wheel}"]
    variables = build_environment(goal, root)
    mask = os.umask(0o022)  # a wheel's folders get their permissions from it
    try:
        run(*command, str(sources), env=variables)
        raw = _only_wheel(folder)
        if sys.platform != "linux":
            return raw
        repair = ["auditwheel", "repair", "-w", str(folder / "repaired"), str(raw)]
        if goal.board is not None and not native(goal.target):
            repair[2:2] = ["--ldpaths", f"/usr/{goal.target.triple}/lib"]
        run(*repair, env=variables)
    finally:
        os.umask(mask)
    return _only_wheel(folder / "repaired")


def build(goal: Goal, root: Path | None, run: Run, say: Callable[[str], None]) -> Path:
    """Build, repair and audit the wheel of `goal`, unless it is there already.

    Args:
        goal: what to build.
        root: the unpacked target root of a cross build (toolchains/roots/sysroot.py).
        run: runs a command, ``run(*command, env=...)``, in an environment with the dependency group ``wheel``;
            raises when it fails.
        say: prints progress.

    Returns:
        The wheel in dist/.

    Raises:
        BuildError: when the build or repair gave no single wheel.
    """
    state = source_hash()
    if wheel := built(goal, state):
        say(f"wheel up to date: {wheel.name}")
        return wheel
    _stamp(goal).unlink(missing_ok=True)
    finished = make(goal, root, run, goal.folder / "fresh", goal.objects)
    if sys.platform == "linux":
        # In the session's environment, which has pyelftools; the one that runs nox may have nothing but nox.
        run("python", "-m", "toolchains.audit.wheel", str(finished), "--objects", str(goal.objects), env={})
    else:
        say(f"{finished.name}: not audited on {sys.platform}")
    return _publish(goal, finished, state)


def _only_wheel(folder: Path) -> Path:
    wheels = sorted(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise BuildError(
            "B033", f"{len(wheels)} wheels instead of one", str(folder), "see the messages of the build above"
        )
    return wheels[0]


def _publish(goal: Goal, wheel: Path, state: str) -> Path:
    """Move the wheel into dist/ by rename, remove this goal's former one, and leave the stamp last."""
    final = DIST / wheel.name
    for former in DIST.glob(f"*-{goal.tag}-*{goal.target.wheel}.whl"):
        if former != final:
            former.unlink()
    publish_file(wheel, final)
    _stamp(goal).write_text(f"{final.name} {state} {digest(final)}\n", encoding="utf-8")
    return final
