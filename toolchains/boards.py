"""The boards of boards.toml, checked."""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from toolchains.failures import PROJECT, build_error

BOARDS_FILE = PROJECT / "toolchains" / "boards.toml"
_VERSION = re.compile(r"\d+\.\d+")


@dataclass(frozen=True)
class Target:
    """One machine type: compiler, emulator and ELF facts."""

    name: str
    triple: str
    toolchain: str
    debian: str
    wheel: str
    qemu: str
    elf: str
    bits: int
    load_alignment: int
    apt: tuple[str, ...]


@dataclass(frozen=True)
class System:
    """One Raspberry Pi OS release, by the name of its Debian suite; `packages` make its unpacked root."""

    name: str
    python: str
    glibc: str
    packages: tuple[str, ...]


@dataclass(frozen=True)
class CpuInfo:
    """What /proc/cpuinfo says of each core."""

    features: str
    implementer: int
    architecture: int
    variant: int
    part: int
    revision: int


@dataclass(frozen=True)
class Board:
    """One board. `page_size` in bytes; `kernels`: sets it runs besides `reference`, slowest first."""

    name: str
    title: str
    target: Target
    system: System
    qemu_cpu: str
    clock_mhz: int
    cores: int
    ram_mb: int
    page_size: int
    kernels: tuple[str, ...]
    cpuinfo: CpuInfo

    def cpuinfo_text(self, processors: int | None = None) -> str:
        """/proc/cpuinfo of this board.

        Args:
            processors: entries to write; by default as many as this host has, since the emulator shows the host's
                count by every other way and libraries that see two different counts fail.
        """
        info = self.cpuinfo
        core = (
            f"BogoMIPS\t: 108.00\nFeatures\t: {info.features}\nCPU implementer\t: 0x{info.implementer:02x}\n"
            f"CPU architecture: {info.architecture}\nCPU variant\t: 0x{info.variant:x}\n"
            f"CPU part\t: 0x{info.part:03x}\nCPU revision\t: {info.revision}\n\n"
        )
        count = processors or os.cpu_count() or 1
        return "".join(f"processor\t: {i}\n{core}" for i in range(count)) + f"Model\t\t: {self.title}\n"


def glibc_version(text: str) -> tuple[int, int]:
    """``"2.36"`` as ``(2, 36)``."""
    major, minor = text.split(".")
    return int(major), int(minor)


def _invalid(where: str, what: str, path: Path) -> Exception:
    return build_error("B003", what, f"{where} in {path.name}", "compare with the other entries of that file")


def _make(kind: type[Any], where: str, table: object, path: Path, **given: Any) -> Any:
    """Build dataclass `kind` from a TOML table; every key must be known, present and of the annotated type."""
    if not isinstance(table, dict):
        raise _invalid(where, "a table is needed", path)
    wanted = {f.name: f.type for f in fields(kind) if f.name not in given}
    if unknown := sorted(set(table) - set(wanted)):
        raise _invalid(where, f"unknown key {unknown[0]}", path)
    if missing := sorted(set(wanted) - set(table)):
        raise _invalid(where, f"key {missing[0]} is missing", path)
    values: dict[str, Any] = {}
    for key, annotation in wanted.items():
        value = table[key]
        if annotation == "tuple[str, ...]":
            good = isinstance(value, list) and all(isinstance(item, str) for item in value)
            value = tuple(value) if good else value
        else:
            good = type(value) is {"str": str, "int": int}[str(annotation)]
        if not good:
            raise _invalid(f"{where}.{key}", f"{value!r} is not of type {annotation}", path)
        values[key] = value
    return kind(**given, **values)


def load_boards(path: Path = BOARDS_FILE) -> dict[str, Board]:
    """Read and check boards.toml.

    Raises:
        BuildError: B003, naming the entry and key, for unknown or missing keys, wrong types, references to absent
            targets or systems, and numbers that cannot be.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise _invalid("the syntax", str(error), path) from error
    targets = {n: _make(Target, f"targets.{n}", t, path, name=n) for n, t in data.get("targets", {}).items()}
    systems = {n: _make(System, f"systems.{n}", t, path, name=n) for n, t in data.get("systems", {}).items()}
    boards: dict[str, Board] = {}
    for name, table in data.get("boards", {}).items():
        where, table = f"boards.{name}", dict(table)
        target, system = targets.get(table.pop("target", "")), systems.get(table.pop("system", ""))
        if target is None or system is None:
            raise _invalid(where, f"no such {'target' if target is None else 'system'}", path)
        info = _make(CpuInfo, f"{where}.cpuinfo", table.pop("cpuinfo", None), path)
        board: Board = _make(Board, where, table, path, name=name, target=target, system=system, cpuinfo=info)
        _check(board, where, path)
        boards[name] = board
    return boards


def _check(board: Board, where: str, path: Path) -> None:
    """Refuse entries that parse but cannot be true."""
    if min(board.clock_mhz, board.cores, board.ram_mb) <= 0:
        raise _invalid(where, "clock_mhz, cores and ram_mb must be positive", path)
    if board.page_size < 4096 or board.page_size & (board.page_size - 1):
        raise _invalid(f"{where}.page_size", f"{board.page_size} is not a page size", path)
    if board.target.load_alignment < board.page_size:
        raise _invalid(f"{where}.page_size", "its target's load_alignment is smaller", path)
    if not (path.parent / board.target.toolchain).is_file():
        raise _invalid(f"targets.{board.target.name}.toolchain", f"no file {board.target.toolchain}", path)
    for key in (board.system.python, board.system.glibc):
        if not _VERSION.fullmatch(key):
            raise _invalid(f"systems.{board.system.name}", f"{key!r} is not of the form 3.11", path)
    if "neon_dotprod" in board.kernels and "asimddp" not in board.cpuinfo.features.split():
        raise _invalid(f"{where}.kernels", "neon_dotprod needs the feature asimddp", path)


def board(name: str, path: Path = BOARDS_FILE) -> Board:
    """The board called `name`.

    Raises:
        BuildError: B002 for an unknown name, B003 as `load_boards`.
    """
    known = load_boards(path)
    if name not in known:
        raise build_error("B002", f"unknown board {name!r}", path.name, f"use one of {', '.join(sorted(known))}")
    return known[name]
