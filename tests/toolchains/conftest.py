"""What tests of toolchains/ share."""

from __future__ import annotations

import dataclasses
import os
import platform
from pathlib import Path
from types import SimpleNamespace

import pytest
from toolchains.emulate.emulator import Emulator

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


@pytest.fixture
def system_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root whose python3.11 is a shell script that runs its second argument. Programs in ``tools`` beside it are
    found first; qemu-aarch64 there drops its options and runs the program."""
    scripts = {"system/usr/bin/python3.11": 'shift\nexec sh -c "$@"', "tools/qemu-aarch64": 'shift 4\nexec "$@"'}
    for name, script in scripts.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'tools'}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "system"


@pytest.fixture
def emulator(system_root: Path, tmp_path: Path) -> Emulator:
    """An emulated Pi 4."""
    return Emulator(boards.board("pi4"), system_root, tmp_path / "boards")
