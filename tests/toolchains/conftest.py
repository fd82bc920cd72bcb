"""What tests of toolchains/ share. The folder is no part of the wheel: it is made importable here."""

from __future__ import annotations

import dataclasses
import platform
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from potstill import boards


class Session:
    """What our jobs use of nox's session: it records what it is told.

    Attributes:
        commands, installed, lines: what was run, installed and said.
        broken: packages that cannot be installed.
        config: what ``pip config list`` prints.
    """

    def __init__(self, folder: Path) -> None:
        self.virtualenv = SimpleNamespace(location=str(folder))
        self.commands: list[tuple[str, ...]] = []
        self.installed: list[tuple[str, ...]] = []
        self.lines: list[str] = []
        self.broken: set[str] = set()
        self.config = ""

    def run(self, *command: str, **_: object) -> str:
        self.commands.append(command)
        return self.config

    def install(self, *words: str) -> None:
        self.installed.append(words)
        if words[-1] in self.broken:
            raise RuntimeError("pip failed")

    def log(self, line: str) -> None:
        self.lines.append(line)

    warn = error = log


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """A session whose environment is this test's folder."""
    return Session(tmp_path)


@pytest.fixture(scope="session")
def host() -> boards.Target:
    """This machine as a target, so that good files can be made without a cross compiler."""
    machine = platform.machine()
    if machine not in ("x86_64", "aarch64"):
        pytest.skip(f"no ELF facts here for {machine}")
    elf, known = {"x86_64": "EM_X86_64", "aarch64": "EM_AARCH64"}[machine], boards.board("pi4").target
    return dataclasses.replace(
        known, name=machine, wheel=machine, elf=elf, triple=f"{machine}-linux-gnu", load_alignment=4096
    )
