"""Emulated boards that something is wrong with. They run on the build host and start programs of the board:
``nox -s emulate``. Elsewhere they are skipped with that reason.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

try:
    from toolchains.emulate.chroot import HOME, Chroot
    from toolchains.emulate.emulator import Emulator

    from potstill import boards
    from toolchains.roots import sysroot
    from toolchains.wheels import jobs as wheel_jobs
except ImportError:  # an installed package without its source tree
    pass

BOARDS = os.environ.get("POTSTILL_EMULATED", "").split(",")
WORK = Path(__file__).parents[2] / ".cache" / "boards" / "situations"
Make = Callable[..., "Emulator"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip where no wheels have been made for boards."""
    if BOARDS != [""]:
        return
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="needs the boards' wheels and roots: nox -s emulate"))


@pytest.fixture
def make() -> Make:
    """Makes a board with a wheel in it, that of another board if named.

    Args of the function: name; ``wheel``: the board whose wheel to unpack; ``own``: a fresh root, for a test that
    changes it; ``changed``: fields of the board. A name that is not among the boards emulated in this session skips the
    test.
    """

    def function(name: str, *, wheel: str = "", own: bool = False, **changed: int) -> Emulator:
        for needed in (name, wheel or name):
            if needed not in BOARDS:
                pytest.skip(f"{needed} is not among the boards of this run")
        board = boards.board(name)
        folder = WORK / ("own" if own else "shared")
        if own:
            shutil.rmtree(folder / name, ignore_errors=True)
        emulator = Emulator(replace(board, **changed), sysroot.root_of(board), folder)
        emulator.install(wheel_jobs.finished(boards.board(wheel or name)))
        return emulator

    return function


@pytest.fixture(scope="session")
def model() -> Path:
    """A random .still file."""
    return Path(os.environ["POTSTILL_MODEL"])


@pytest.fixture
def enter(model: Path) -> Callable[..., Chroot]:
    """Enters a board's root as /, with the model in its home; skips with the host's reason where that is forbidden."""

    def function(emulator: Emulator, **options: bool) -> Chroot:
        machine = Chroot(emulator, **options)
        if machine.unavailable:
            pytest.skip(machine.unavailable)
        shutil.copy(model, emulator.root / HOME.lstrip("/") / "m.still")
        return machine

    return function
